"""Noise estimation."""

from burstsr.noise.agreement import LooksOf
from burstsr.noise.fit import NoiseFit, Points, fit
from burstsr.noise.from_burst import FEWEST_FRAMES, FlowsOf, measure
from burstsr.noise.stage import check_noise_profile, estimate, estimate_noise, estimate_snr, questioned

__all__ = [
    "FEWEST_FRAMES",
    "FlowsOf",
    "LooksOf",
    "NoiseFit",
    "Points",
    "check_noise_profile",
    "estimate",
    "fit",
    "measure",
    "estimate_noise",
    "questioned",
    "estimate_snr",
]
