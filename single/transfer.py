"""Transfer curve of linear network inputs: sRGB (IEC 61966-2-1), extended linearly below 0 to preserve noise around black."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LINEAR = 0.0031308
_SLOPE = 12.92


def encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Encode linear values, 1.0 = white, of any shape as sRGB values.

    >>> round(float(encode(np.float32([0.5]))[0]), 4)
    0.7354
    """
    curved = 1.055 * np.maximum(linear, _LINEAR) ** np.float32(1 / 2.4) - 0.055
    return np.asarray(np.where(linear <= _LINEAR, _SLOPE * linear, curved), np.float32)


def decode(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """Invert `encode`."""
    curved = ((np.maximum(srgb, _SLOPE * _LINEAR) + 0.055) / 1.055) ** 2.4
    return np.asarray(np.where(srgb <= _SLOPE * _LINEAR, srgb / _SLOPE, curved), np.float32)
