"""One-sided limits of arrays, and extremes around pixels.

`np.clip` with two limits is vectorised; `np.maximum` and `np.minimum` of an array and a scalar are not, and take 8 times as long.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_Values = TypeVar("_Values", np.uint8, np.float32)
_INFINITE = np.float32(np.inf)


def at_least(values: Floats, low: float, out: Floats | None = None) -> Floats:
    """Return values raised to `low` where they are below."""
    return np.asarray(np.clip(values, np.float32(low), _INFINITE, out=out), np.float32)


def at_most(values: Floats, high: float, out: Floats | None = None) -> Floats:
    """Return values lowered to `high` where they are above."""
    return np.asarray(np.clip(values, -_INFINITE, np.float32(high), out=out), np.float32)


def extremes(image: NDArray[_Values], reach: int) -> tuple[NDArray[_Values], NDArray[_Values]]:
    """Return the lowest and the highest values of an image (h, w) or (h, w, c) in the square within `reach` pixels of each, by channel."""
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    low, high = (np.asarray(of(image, square), image.dtype).reshape(image.shape) for of in (cv2.erode, cv2.dilate))
    return low, high
