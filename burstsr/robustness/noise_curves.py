"""What noise alone does to 3 x 3 statistics, near clipping too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.censored_normal import clipped_moments
from burstsr.core.noise import Noise

STEPS = 512  # the curves' samples over level 0 .. 1, less one


def noise_curves(noise: Noise, low: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per channel and level: variance of a quad's value, and mean square difference of two 3 x 3 means, by noise alone.

    Two (3, STEPS + 1) float32 arrays. `low` is the level at which the sensor's numbers end below (-black / (white - black)). Green is the mean of two.
    Departs: Wronski 2019, section 5.2, uses Monte Carlo; the censored normal's moments are exact and need no draws.
    """
    level = np.linspace(0.0, 1.0, STEPS + 1)
    per_quad = (1.0, 0.5, 1.0)
    variance = np.stack([clipped_moments(level, noise.variance(level, c), low, 1.0)[1] * per_quad[c] for c in range(3)])
    floor = np.array([noise.beta[c] * per_quad[c] for c in range(3)])[:, None] * 1e-3
    variance = np.maximum(variance, floor)
    return variance.astype(np.float32), (variance * (2.0 / 9.0)).astype(np.float32)
