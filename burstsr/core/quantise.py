"""Trust as it is kept: of every frame, so in a byte a quad."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 255  # what full trust is kept as


def packed(robustness: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Trust of 0 .. 1 as whole numbers of 0 .. 255; none stays none, full stays full.

    >>> packed(np.array([0, 0.5, 1], np.float32)).tolist()
    [0, 128, 255]
    """
    return np.asarray(robustness * np.float32(MOST) + np.float32(0.5)).astype(np.uint8)


def unpacked(robustness: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """What `packed` kept; trust of 0 .. 1 stays as it is."""
    if robustness.dtype == np.uint8:
        return robustness * np.float32(1 / MOST)
    return np.asarray(robustness, np.float32)
