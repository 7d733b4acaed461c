"""Colours that a network may draw: those of the image around each pixel. Networks trained on few images draw coloured fringes beside black and white."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_WINDOW = np.ones((5, 5), np.uint8)  # pixels of the image
_WIDER = np.float32(0.25)  # share of the range by which colours may leave it: detail that shrinking took away


def within_colours(made: Floats, given: Floats) -> Floats:
    """Return `made` (s H, s W, 3) with its colours, the differences of R, G and B from their mean M, within the range of those of `given` (H, W, 3) around.

    M is kept. R - M and B - M are limited, and G is what is left.
    """
    height, width = made.shape[:2]
    mean, source = made.mean(axis=2), given.mean(axis=2)
    result = np.empty_like(made)
    for channel in (0, 2):
        seen = np.ascontiguousarray(given[:, :, channel] - source)
        low, high = cv2.erode(seen, _WINDOW), cv2.dilate(seen, _WINDOW)
        wider = _WIDER * (high - low)
        bounds = [cv2.resize(limit, (width, height), interpolation=cv2.INTER_LINEAR) for limit in (low - wider, high + wider)]
        result[:, :, channel] = mean + np.clip(made[:, :, channel] - mean, *bounds)
    result[:, :, 1] = 3 * mean - result[:, :, 0] - result[:, :, 2]
    return result
