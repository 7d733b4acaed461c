"""Colour matrix of a camera from a chart of 24 patches (ColorChecker Classic, in four rows of six), photographed in daylight.

Reference: CIE L*a*b* (D50, 2 degrees) of the patches as their maker published them for charts made before November 2014, adapted to D65 (Bradford). The
matrix from white-balanced camera RGB to XYZ keeps white, and minimises the colour differences (CIE 1976) of all patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from burstsr.core.burst import Frame
from burstsr.core.errors import SettingsError
from burstsr.core.sensor import samples
from burstsr.core.srgb import SRGB_TO_XYZ
from burstsr.profiles.records import ColourRecord, now, triple

Doubles = NDArray[np.float64]
Corner = tuple[float, float]
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
_D50, _D65 = np.array([0.96422, 1.0, 0.82521]), SRGB_TO_XYZ.sum(axis=1)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_GREYS = slice(19, 23)  # neutral 8 to 3.5: neither the brightest, which may be clipped, nor black
_ROUNDS = 3
_HALF = 0.25  # half side of the part of a patch that is averaged, in distances of patches
_FEWEST = 8  # samples of a colour in a patch
_CLIPPED, _MOST_CLIPPED = 0.98, 0.01
_EVEN = 0.15  # largest relative standard deviation of green within a patch
_LAB_EPSILON, _LAB_KAPPA = 216 / 24389, 24389 / 27  # CIE 15


def colour_from_chart(frame: Frame, corners: Sequence[Corner]) -> ColourRecord:
    """Measure the matrix from a frame of the chart.

    corners: (x, y) of the centres of the patches in its corners, raw pixels of the sensor: dark skin, bluish green, black, white. Raises SettingsError for
    corners that do not fit, patches that are clipped, and monochrome sensors.
    """
    if frame.info.cfa.is_mono:
        raise SettingsError(f"{frame.info.path}: a monochrome sensor has no colours")
    rgb = patches(frame, corners)
    neutral = (rgb[_GREYS] / rgb[_GREYS, 1:2]).mean(axis=0)
    xyz = xyz_of_lab(np.array(LAB_D50), _D50) @ adaptation(_D50, _D65).T
    for _ in range(_ROUNDS):  # greys of charts are not quite neutral
        matrix, differences = fitted_matrix(rgb / neutral, xyz)
        ratio = rgb[_GREYS] / (xyz[_GREYS] @ np.linalg.inv(matrix).T)
        neutral = (ratio / ratio[:, 1:2]).mean(axis=0)
    rows = np.diag(neutral) @ np.linalg.inv(matrix)
    return ColourRecord(
        camera=frame.info.camera,
        iso=frame.info.iso,
        date=now(),
        method="24 patches",
        xyz_to_camera=(triple(rows[0]), triple(rows[1]), triple(rows[2])),
        neutral=triple(neutral),
        delta_e_mean=float(differences.mean()),
        delta_e_max=float(differences.max()),
    )


def patches(frame: Frame, corners: Sequence[Corner]) -> Doubles:
    """Return (24, 3) mean camera RGB of the patches, row by row."""
    grid = np.array([(0, 0), (COLUMNS - 1, 0), (COLUMNS - 1, ROWS - 1), (0, ROWS - 1)], np.float32)
    to_grid = cv2.getPerspectiveTransform(np.array(corners, np.float32), grid)
    height, width = frame.info.shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v, w = (a * x + b * y + c for a, b, c in to_grid)
        u, v = u / w, v / w
    column, row = np.rint(u), np.rint(v)
    inside = (np.abs(u - column) < _HALF) & (np.abs(v - row) < _HALF) & (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS)
    patch = (row[inside] * COLUMNS + column[inside]).astype(int)
    values, channel = samples(frame.mosaic, frame.info.levels)[inside].astype(np.float64), frame.info.cfa.channel_map(frame.info.shape)[inside].astype(int)
    index, count = patch * 3 + channel, ROWS * COLUMNS * 3
    number, total, square, white = (np.bincount(index, weights, count).reshape(-1, 3) for weights in (None, values, values**2, values > _CLIPPED))
    path = frame.info.path
    if number.min() < _FEWEST:
        raise SettingsError(f"{path}: --corners leave fewer than {_FEWEST} samples of a colour in a patch; they are x,y of four patches, in raw pixels")
    if (white > _MOST_CLIPPED * number).any():
        raise SettingsError(f"{path}: patch {int(np.argmax((white / number).max(axis=1))) + 1} is clipped; expose less")
    mean = total / number
    spread = np.sqrt(np.maximum(square / number - mean**2, 0))[:18, 1] / np.maximum(mean[:18, 1], 1e-3)
    if (np.diff(mean[18:, 1]) >= 0).any() or float(np.median(spread)) > _EVEN:
        raise SettingsError(f"{path}: no chart of 24 patches between --corners, which are dark skin, bluish green, black, white, in this order")
    return np.asarray(mean)


def fitted_matrix(balanced: Doubles, xyz: Doubles) -> tuple[Doubles, Doubles]:
    """Return the (3, 3) matrix from balanced camera RGB to XYZ (D65) that keeps white, and the patches' colour differences; exposure is free."""
    start = np.linalg.lstsq(balanced, xyz, rcond=None)[0].T
    exposure = float(np.mean(start.sum(axis=1) / _D65))
    lab = lab_of_xyz(xyz, _D65)

    def matrix_of(p: Doubles) -> Doubles:
        free = p[:6].reshape(3, 2)
        return np.column_stack([free, _D65 - free.sum(axis=1)])

    def difference(p: Doubles) -> Doubles:
        return np.asarray((lab_of_xyz(p[6] * balanced @ matrix_of(p).T, _D65) - lab).ravel())

    found = least_squares(difference, np.append((start / exposure)[:, :2].ravel(), exposure)).x
    return matrix_of(found), np.linalg.norm(difference(found).reshape(-1, 3), axis=1)


def adaptation(source: Doubles, target: Doubles) -> Doubles:
    """Return the (3, 3) Bradford adaptation of XYZ from one white to another."""
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ target) / (_BRADFORD @ source)) @ _BRADFORD)


def xyz_of_lab(lab: Doubles, white: Doubles) -> Doubles:
    """Return (n, 3) XYZ of CIE L*a*b* (n, 3)."""
    fy = (lab[:, 0] + 16) / 116
    f = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=1)
    return np.asarray(white * np.where(f**3 > _LAB_EPSILON, f**3, (116 * f - 16) / _LAB_KAPPA))


def lab_of_xyz(xyz: Doubles, white: Doubles) -> Doubles:
    """Return (n, 3) CIE L*a*b* of XYZ (n, 3); the straight part goes on below 0."""
    ratio = xyz / white
    f = np.where(ratio > _LAB_EPSILON, np.cbrt(np.maximum(ratio, _LAB_EPSILON)), (_LAB_KAPPA * ratio + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
