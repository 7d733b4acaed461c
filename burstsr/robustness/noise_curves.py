"""What noise alone does to 3 x 3 statistics, near clipping too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from burstsr.ground.noise import Noise

STEPS = 512  # the curves' samples over level 0 .. 1, less one


def clipped_variance(level: NDArray[np.float64], variance: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Variance of a Gaussian of mean `level` and `variance` after clipping to low .. high, exactly (moments of the censored normal)."""
    sigma = np.sqrt(np.maximum(variance, 1e-30))
    a, b = (low - level) / sigma, (high - level) / sigma
    phi_a, phi_b = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi), np.exp(-0.5 * b * b) / np.sqrt(2 * np.pi)
    below, above = ndtr(a), ndtr(-b)
    inside = 1.0 - below - above
    # moments of the standardised variable z clipped to a .. b
    first = phi_a - phi_b + np.where(below > 0, a * below, 0.0) + np.where(above > 0, b * above, 0.0)
    second = inside + a * phi_a - b * phi_b + np.where(below > 0, a * a * below, 0.0) + np.where(above > 0, b * b * above, 0.0)
    return np.asarray(np.maximum(second - first * first, 0.0) * sigma**2)


def noise_curves(noise: Noise, low: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per channel and level: variance of a quad's value, and mean square difference of two 3 x 3 means, by noise alone.

    Two (3, STEPS + 1) float32 arrays. `low` is the level at which the sensor's numbers end below (-black / (white - black)). Green is the mean of two.
    Departs: Wronski 2019, section 5.2, uses Monte Carlo; the censored normal's moments are exact and need no draws.
    """
    level = np.linspace(0.0, 1.0, STEPS + 1)
    per_quad = (1.0, 0.5, 1.0)
    variance = np.stack([clipped_variance(level, noise.variance(level, c), low, 1.0) * per_quad[c] for c in range(3)])
    floor = np.array([noise.beta[c] * per_quad[c] for c in range(3)])[:, None] * 1e-3
    variance = np.maximum(variance, floor)
    return variance.astype(np.float32), (variance * (2.0 / 9.0)).astype(np.float32)
