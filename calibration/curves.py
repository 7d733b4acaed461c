"""Effect of noise and clipping on 3 x 3 patches, by Monte Carlo, as in Wronski 2019, section 5.2. `burstsr.robustness` computes the same exactly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_DRAWS = 40_000  # patches per level
_AWAY = 6.0  # sigma from both limits beyond which nothing is clipped, and the exact values are used


@dataclass(frozen=True)
class Curves:
    """Per level, (n,): variance of a sample after clipping, mean squared and mean absolute difference of the means of two 3 x 3 patches."""

    level: NDArray[np.float64]
    variance: NDArray[np.float64]
    squared_difference: NDArray[np.float64]
    difference: NDArray[np.float64]


@lru_cache(maxsize=32)
def monte_carlo(alpha: float, beta: float, low: float, levels: tuple[float, ...], seed: int = 0) -> Curves:
    """Compute the curves for noise of variance alpha x + beta, clipped to `low` .. 1; cached. Away from the limits they are exact."""
    rng = np.random.default_rng(seed)
    found = []
    for level in levels:
        deviation = float(np.sqrt(alpha * max(level, 0.0) + beta))
        if min(level - low, 1.0 - level) > _AWAY * deviation:
            found.append((deviation**2, deviation**2 * 2 / 9, deviation * np.sqrt(2 / 9) * np.sqrt(2 / np.pi)))
            continue
        patches = np.clip(level + deviation * rng.standard_normal((2, _DRAWS, 9)), low, 1.0)
        apart = patches[0].mean(axis=1) - patches[1].mean(axis=1)
        found.append((float(patches.var()), float(np.square(apart).mean()), float(np.abs(apart).mean())))
    columns = np.array(found, np.float64).reshape(-1, 3).T
    return Curves(np.array(levels, np.float64), *(np.ascontiguousarray(c) for c in columns))
