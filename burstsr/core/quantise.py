"""Robustness maps quantised to 8 bits, one byte per CFA cell, since they are kept for every frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 255  # full robustness, quantised


def packed(robustness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Quantise robustness of 0 .. 1 to integers of 0 .. 255; 0 and 1 are kept exactly.

    >>> packed(np.array([0, 0.5, 1], np.float32)).tolist()
    [0, 128, 255]
    """
    return np.asarray(robustness * np.float32(MOST) + np.float32(0.5)).astype(np.uint8)


def unpacked(robustness: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Invert `packed`; floating-point robustness is returned unchanged."""
    if robustness.dtype == np.uint8:
        return robustness * np.float32(1 / MOST)
    return np.asarray(robustness, np.float32)


def scaled(robustness: NDArray[np.uint8] | NDArray[np.float32], weight: float) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Robustness times a weight of 0 to 1, kept as it was."""
    if weight == 1:
        return robustness
    if robustness.dtype == np.uint8:
        return np.asarray(np.rint(robustness * np.float32(weight)), np.uint8)
    return np.asarray(robustness * np.float32(weight), np.float32)
