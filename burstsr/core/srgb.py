"""The sRGB colour space (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour

SRGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # linear sRGB, D65 white


def camera_to_srgb(colour: Colour) -> NDArray[np.float64]:
    """Return (3, 3) from white-balanced camera RGB to linear sRGB, keeping white. The identity where the camera is unknown, or its matrix is singular.

    Rows of the matrix from sRGB to camera are scaled to sum 1, then it is inverted, as dcraw does.
    """
    if colour.xyz_to_camera is None:
        return np.eye(3)
    from_srgb = colour.xyz_to_camera @ SRGB_TO_XYZ
    sums = from_srgb.sum(axis=1, keepdims=True)
    if (sums <= 0).any() or abs(np.linalg.det(from_srgb / sums)) < 1e-6:
        return np.eye(3)  # white would be black to the camera: the file's matrix is invalid
    return np.asarray(np.linalg.inv(from_srgb / sums))


def decode_srgb(encoded: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return linear values of sRGB-encoded ones, 0 to 1.

    >>> decode_srgb(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    return np.asarray(np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4))
