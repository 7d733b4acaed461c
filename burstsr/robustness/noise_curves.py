"""Noise statistics of 3 x 3 neighbourhoods as functions of level, exact near clipping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.censored_normal import clipped_moments
from burstsr.core.noise import Noise

STEPS = 512  # number of intervals over level 0 .. 1


def noise_curves(noise: Noise, low: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return, per channel and level, the noise variance of a CFA cell's value and the mean squared difference of two 3 x 3 means by noise.

    Two (3, STEPS + 1) float32 arrays. low: level of raw value 0, where the sensor clips (-black / (white - black)). Green is the mean of two samples.
    Departs: Wronski 2019, section 5.2, uses Monte Carlo simulation; the moments of the censored normal distribution are exact.
    """
    level = np.linspace(0.0, 1.0, STEPS + 1)
    per_quad = (1.0, 0.5, 1.0)
    variance = np.stack([clipped_moments(level, noise.variance(level, c), low, 1.0)[1] * per_quad[c] for c in range(3)])
    floor = np.array([noise.beta[c] * per_quad[c] for c in range(3)])[:, None] * 1e-3
    variance = np.maximum(variance, floor)
    return variance.astype(np.float32), (variance * (2.0 / 9.0)).astype(np.float32)
