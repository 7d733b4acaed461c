"""The sRGB colour space (IEC 61966-2-1): its curve, its primaries, and luma of its encoded values.

The simulator has a curve of its own, on purpose: it must be able to prove this one wrong.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour

SRGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # linear sRGB, D65 white
XYZ_TO_SRGB = np.linalg.inv(SRGB_TO_XYZ)
LUMA_601 = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601: luma of figures in the literature, and of Cb and Cr
LUMA_709 = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709, whose primaries sRGB has: luma that is sharpened
LINEAR_BELOW, SLOPE, GAIN, OFFSET, EXPONENT = 0.0031308, 12.92, 1.055, 0.055, 2.4  # encoded = SLOPE x below, else GAIN x^(1 / EXPONENT) - OFFSET


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


def linear_srgb_colour() -> Colour:
    """Return the colour of a camera whose RGB is linear sRGB."""
    return Colour(np.ones(3), XYZ_TO_SRGB)


def encode_srgb(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return sRGB-encoded values of linear ones, 1.0 = white, of any shape; the straight part goes on below 0, which preserves noise around black.

    >>> encode_srgb(np.array([-0.001, 0.0, 0.5, 1.0])).round(4).tolist()
    [-0.012900000438094139, 0.0, 0.7354000210762024, 1.0]
    """
    linear = np.asarray(linear, np.float32)
    power = np.maximum(linear, np.float32(LINEAR_BELOW)) ** np.float32(1 / EXPONENT)
    return np.asarray(np.where(linear <= LINEAR_BELOW, np.float32(SLOPE) * linear, np.float32(GAIN) * power - np.float32(OFFSET)), np.float32)


def srgb_slope(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the derivative of `encode_srgb`: the factor by which it scales small noise.

    >>> srgb_slope(np.array([-0.1, 0.5])).round(3).tolist()
    [12.920000076293945, 0.6589999794960022]
    """
    linear = np.asarray(linear, np.float32)
    curved = np.float32(GAIN / EXPONENT) * np.maximum(linear, np.float32(LINEAR_BELOW)) ** np.float32(1 / EXPONENT - 1)
    return np.asarray(np.where(linear <= LINEAR_BELOW, np.float32(SLOPE), curved), np.float32)


def display_values(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return sRGB-encoded values of linear ones, clipped to 0 .. 1."""
    return np.minimum(encode_srgb(np.clip(linear, 0, 1)), np.float32(1))


def decode_srgb(encoded: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return linear values of sRGB-encoded ones: the inverse of `encode_srgb`, in the precision of `encoded`.

    >>> decode_srgb(np.array([0.0, 0.5, 1.0])).round(4).tolist()
    [0.0, 0.214, 1.0]
    """
    knee = SLOPE * LINEAR_BELOW
    return np.asarray(np.where(encoded <= knee, encoded / SLOPE, ((np.maximum(encoded, knee) + OFFSET) / GAIN) ** EXPONENT))
