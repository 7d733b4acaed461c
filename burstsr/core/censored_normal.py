"""Moments of the censored normal distribution: Gaussian noise clipped by the sensor's range."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Doubles = NDArray[np.float64]


def clipped_moments(level: Doubles, variance: Doubles, low: float, high: float) -> tuple[Doubles, Doubles]:
    """Return the exact mean and variance of a Gaussian of mean `level` and `variance` after clipping to low .. high."""
    sigma = np.sqrt(np.maximum(variance, 1e-30))
    a, b = (low - level) / sigma, (high - level) / sigma
    phi_a, phi_b = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi), np.exp(-0.5 * b * b) / np.sqrt(2 * np.pi)
    below, above = ndtr(a), ndtr(-b)
    inside = 1.0 - below - above
    # moments of the standardised variable z clipped to a .. b
    first = phi_a - phi_b + np.where(below > 0, a * below, 0.0) + np.where(above > 0, b * above, 0.0)
    second = inside + a * phi_a - b * phi_b + np.where(below > 0, a * a * below, 0.0) + np.where(above > 0, b * b * above, 0.0)
    return np.asarray(level + sigma * first), np.asarray(np.maximum(second - first * first, 0.0) * sigma**2)


def unclipped_moments(mean: Doubles, variance: Doubles, low: float, high: float, rounds: int = 60) -> tuple[Doubles, Doubles]:
    """Return the mean and variance of a Gaussian before clipping to low .. high: the inverse of `clipped_moments`, by iteration.

    Reliable while less than half of the distribution is clipped; variances of 0 stay 0.
    """
    level, wide = np.asarray(mean, np.float64).copy(), np.asarray(variance, np.float64).copy()
    for _ in range(rounds):
        m, v = clipped_moments(level, wide, low, high)
        level += mean - m
        wide *= np.clip(np.where(v > 0, variance / np.maximum(v, 1e-30), 1.0), 0.5, 2.0)
    return level, wide
