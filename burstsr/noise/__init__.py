"""Noise: what a burst's samples are worth."""

from burstsr.noise.stage import estimate, noise_of, snr_of

__all__ = ["estimate", "noise_of", "snr_of"]
