"""The chart of 24 patches (ColorChecker Classic), four rows of six: its colours, and CIE XYZ and L*a*b*.

CIE L*a*b* (D50, 2 degrees) of the patches as their maker published them for charts made before November 2014, adapted to D65 (Bradford).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.srgb import SRGB_TO_XYZ

Doubles = NDArray[np.float64]
ROWS, COLUMNS = 4, 6
LAB_D50 = (
    (37.986, 13.555, 14.059),  # dark skin; light skin, blue sky, foliage, blue flower, bluish green
    (65.711, 18.130, 17.810),
    (49.927, -4.880, -21.925),
    (43.139, -13.095, 21.905),
    (55.112, 8.844, -25.399),
    (70.719, -33.397, -0.199),
    (62.661, 36.067, 57.096),  # orange; purplish blue, moderate red, purple, yellow green, orange yellow
    (40.020, 10.410, -45.964),
    (51.124, 48.239, 16.248),
    (30.325, 22.976, -21.587),
    (72.532, -23.709, 57.255),
    (71.941, 19.363, 67.857),
    (28.778, 14.179, -50.297),  # blue; green, red, yellow, magenta, cyan
    (55.261, -38.342, 31.370),
    (42.101, 53.378, 28.190),
    (81.733, 4.039, 79.819),
    (51.935, 49.986, -14.574),
    (51.038, -28.631, -28.638),
    (96.539, -0.425, 1.186),  # white; neutral 8, 6.5, 5, 3.5, black
    (81.257, -0.638, -0.335),
    (66.766, -0.734, -0.504),
    (50.867, -0.153, -0.270),
    (35.656, -0.421, -1.231),
    (20.461, -0.079, -0.973),
)
D50, D65 = np.array([0.96422, 1.0, 0.82521]), SRGB_TO_XYZ.sum(axis=1)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_LAB_EPSILON, _LAB_KAPPA = 216 / 24389, 24389 / 27  # CIE 15


def chromatic_adaptation(source: Doubles, target: Doubles) -> Doubles:
    """Return the (3, 3) Bradford chromatic adaptation of XYZ from one white to another."""
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ target) / (_BRADFORD @ source)) @ _BRADFORD)


def lab_to_xyz(lab: Doubles, white: Doubles) -> Doubles:
    """Return (n, 3) XYZ of CIE L*a*b* (n, 3)."""
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=1)
    return np.asarray(white * np.where(f**3 > _LAB_EPSILON, f**3, (116 * f - 16) / _LAB_KAPPA))


def xyz_to_lab(xyz: Doubles, white: Doubles) -> Doubles:
    """Return (n, 3) CIE L*a*b* of XYZ (n, 3); the straight part goes on below 0."""
    ratio = xyz / white
    f = np.where(ratio > _LAB_EPSILON, np.cbrt(np.maximum(ratio, _LAB_EPSILON)), (_LAB_KAPPA * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


PATCH_XYZ = lab_to_xyz(np.array(LAB_D50), D50) @ chromatic_adaptation(D50, D65).T  # (24, 3), D65, 1 = white
