"""Planes resized to the size of an image, a few rows at a time: the same rows whatever others are asked for."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def resized_rows(plane: Floats, size: tuple[int, int], rows: slice) -> Floats:
    """Return some rows of a plane (h, w) resized to `size` (H, W), bilinear, edges repeated."""
    position = np.clip((np.arange(rows.start, rows.stop) + 0.5) * (len(plane) / size[0]) - 0.5, 0, len(plane) - 1)
    first = np.minimum(position.astype(np.int64), max(len(plane) - 2, 0))
    share = (position - first).astype(np.float32)[:, None]
    between = (1 - share) * plane[first] + share * plane[np.minimum(first + 1, len(plane) - 1)]
    return np.asarray(cv2.resize(between, (size[1], len(between)), interpolation=cv2.INTER_LINEAR), np.float32)
