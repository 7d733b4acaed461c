"""Memory that loops read in whole vectors."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

VECTOR = 16  # float32 values in the longest vector and in a line of the cache


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Uninitialised float32 that begins with a line of the cache. With rows of whole vectors no vector straddles two lines, which would be read twice."""
    size = math.prod(shape)
    raw = np.empty(size + VECTOR, np.float32)
    first = -raw.ctypes.data // raw.itemsize % VECTOR
    return raw[first : first + size].reshape(shape)
