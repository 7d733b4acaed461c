"""Noise: what a burst's samples are worth."""

from burstsr.noise.agreement import LooksOf
from burstsr.noise.burst import FEWEST_FRAMES, FlowsOf, measure
from burstsr.noise.fit import NoiseFit, Points, fit
from burstsr.noise.stage import doubt, estimate, noise_of, questioned, snr_of

__all__ = ["FEWEST_FRAMES", "FlowsOf", "LooksOf", "NoiseFit", "Points", "doubt", "estimate", "fit", "measure", "noise_of", "questioned", "snr_of"]
