"""Arrays aligned for vectorised loops."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

VECTOR = 16  # float32 values in the longest vector and in a cache line


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an uninitialised float32 array aligned to a cache line. If rows are whole vectors, no vector straddles two cache lines."""
    size = math.prod(shape)
    raw = np.empty(size + VECTOR, np.float32)
    first = -raw.ctypes.data // raw.itemsize % VECTOR
    return raw[first : first + size].reshape(shape)
