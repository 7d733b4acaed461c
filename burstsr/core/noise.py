"""The noise model of a raw sample: variance = alpha * x + beta, per channel (Foi 2008; DNG 1.4, NoiseProfile)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.equality import EqualByContent

MERGED_SHARE = 0.5  # variance of a merged pixel times its weight, relative to that of a sample: sum w^2 / sum w of densely sampled Gaussian kernels


@dataclass(frozen=True, eq=False)
class Noise(EqualByContent):
    """Shot and read noise in normalised units, per channel.

    alpha: (3,) variance per unit of signal for R, G, B. beta: (3,) variance at zero signal. Both >= 0.
    """

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]

    @classmethod
    def of_iso(cls, iso: float) -> Noise:
        """Return the model of a typical phone sensor at `iso`: alpha = 1.807e-4 ISO/100, beta = 3.194e-6 (ISO/100)^2."""
        gain = iso / 100.0
        return cls(np.full(3, 1.807e-4 * gain), np.full(3, 3.194e-6 * gain**2))

    def variance(self, level: ArrayLike, channel: int) -> NDArray[np.float64]:
        """Return the variance of samples of `channel` (0 R, 1 G, 2 B) with mean `level`; negative levels count as 0."""
        return np.asarray(self.alpha[channel] * np.maximum(level, 0.0) + self.beta[channel])

    def scaled(self, variance_factor: float) -> Noise:
        """Return the model with all variances multiplied by `variance_factor`."""
        return Noise(self.alpha * variance_factor, self.beta * variance_factor)
