"""The noise model of a raw sample: variance = alpha * x + beta, per channel (Foi 2008; DNG 1.4, NoiseProfile)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.equality import EqualByContent
from burstsr.core.gain import GainField

MODEL_ERROR = 0.02  # of the brightest level nearby, of a bracket's samples: misregistration and aliasing, which a longer exposure does not reduce
MERGED_SHARE = 0.5  # variance of a merged pixel times its weight, relative to that of a sample: sum w^2 / sum w of densely sampled Gaussian kernels


@dataclass(frozen=True, eq=False)
class Noise(EqualByContent):
    """Shot and read noise in normalised units, per channel.

    alpha: (3,) variance per unit of signal for R, G, B. beta: (3,) variance at zero signal. Both >= 0.
    gain: of the samples by position, where it varies: there the variance is g alpha x + g^2 beta. None: 1 everywhere.
    """

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    gain: GainField | None = None

    @classmethod
    def of_iso(cls, iso: float) -> Noise:
        """Return the model of a typical phone sensor at `iso`: alpha = 1.807e-4 ISO/100, beta = 3.194e-6 (ISO/100)^2."""
        gain = iso / 100.0
        return cls(np.full(3, 1.807e-4 * gain), np.full(3, 3.194e-6 * gain**2))

    def variance(self, level: ArrayLike, channel: int, gain: ArrayLike = 1.0) -> NDArray[np.float64]:
        """Return the variance of samples of `channel` (0 R, 1 G, 2 B) with mean `level`, where the gain is `gain`; negative levels count as 0."""
        g = np.asarray(gain, np.float64)
        return np.asarray(self.alpha[channel] * g * np.maximum(level, 0.0) + self.beta[channel] * g * g)

    def of_output(self, rows: range, columns: range, scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (alpha, beta), float32, of a result's pixels in `rows` and `columns`: (3,) each, or, where gain varies, (rows, columns, 3)."""
        alpha, beta = self.alpha.astype(np.float32), self.beta.astype(np.float32)
        if self.gain is None:
            return alpha, beta
        gain = np.moveaxis(self.gain.output(rows, columns, scale), 0, -1)
        return alpha * gain, beta * gain * gain

    def scaled(self, variance_factor: float) -> Noise:
        """Return the model with all variances multiplied by `variance_factor`."""
        return Noise(self.alpha * variance_factor, self.beta * variance_factor, self.gain)
