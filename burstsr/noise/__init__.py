"""Noise estimation."""

from burstsr.noise.agreement import MakeRegistrar
from burstsr.noise.fit import NoiseFit, Points, fit
from burstsr.noise.from_burst import FEWEST_FRAMES, MakeAligner, measure
from burstsr.noise.from_frame import measure_frame
from burstsr.noise.stage import check_agreement, check_noise_profile, estimate, estimate_noise, estimate_of_frames, estimate_snr

__all__ = [
    "FEWEST_FRAMES",
    "MakeAligner",
    "MakeRegistrar",
    "NoiseFit",
    "Points",
    "check_agreement",
    "check_noise_profile",
    "estimate",
    "estimate_noise",
    "estimate_of_frames",
    "estimate_snr",
    "fit",
    "measure",
    "measure_frame",
]
