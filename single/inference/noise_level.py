"""Noise level of a display image: what networks that denoise are told, and what back-projection must not bring back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_LAPLACIAN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)  # along both axes: unit noise gain, zero response to planes (Immerkaer 1996, eq. 2)
_BLOCK = 8
_QUANTILE = 0.03
_OF_FLAT = 0.509  # that quantile of a block's mean square over its variance, for white noise through the filter, by simulation
_FLOOR = 0.8 / 255  # what is measured in good photographs of 8 bits: rounding (0.29 / 255), and the finest texture of the flattest blocks


def noise_level(image: NDArray[np.floating]) -> float:
    """Return the standard deviation of white noise of an image (H, W, C), 0 to 1, in its flattest blocks, mean over channels.

    What exceeds that of good photographs of 8 bits, 0.8 / 255. Structure in every block makes it too high. Clipped areas, which have no noise, do not
    count. Images of less than 32 pixels a side: 0.
    """
    height, width = image.shape[:2]
    if min(height, width) < 4 * _BLOCK:
        return 0.0
    found = [_of_channel(np.ascontiguousarray(image[:, :, c], np.float32)) for c in range(image.shape[2])]
    return float(np.sqrt(max(float(np.mean(np.square(found))) - _FLOOR**2, 0.0)))


def _of_channel(plane: Floats) -> float:
    filtered = cv2.sepFilter2D(plane, cv2.CV_32F, _LAPLACIAN, _LAPLACIAN)[2:-2, 2:-2]
    rows, columns = (n // _BLOCK for n in filtered.shape)
    inside = plane[2 : 2 + rows * _BLOCK, 2 : 2 + columns * _BLOCK]
    squares = _blocks(np.square(filtered[: rows * _BLOCK, : columns * _BLOCK]))
    level = _blocks(inside)
    usable = squares[(level > 0.02) & (level < 0.98)]
    if usable.size < 16:
        return 0.0
    return float(np.sqrt(np.quantile(usable, _QUANTILE) / _OF_FLAT))


def _blocks(values: Floats) -> Floats:
    rows, columns = (n // _BLOCK for n in values.shape)
    return np.asarray(values.reshape(rows, _BLOCK, columns, _BLOCK).mean((1, 3)), np.float32)
