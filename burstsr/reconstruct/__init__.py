"""Reconstruction: maximum a posteriori estimate of the image from the samples of all frames (mode "best"), and safeguards."""

from burstsr.reconstruct.lens_blur import LensBlur, lens_blur
from burstsr.reconstruct.lens_taps import apply_lens_blur, lens_taps
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.safeguard import replace_contradicted
from burstsr.reconstruct.solver import robustness_of_share, unsharpened
from burstsr.reconstruct.stage import Reconstruction, reconstruct
from burstsr.reconstruct.task import Task

__all__ = [
    "LensBlur",
    "Reconstruction",
    "RegisteredFrame",
    "Task",
    "lens_blur",
    "lens_taps",
    "reconstruct",
    "replace_contradicted",
    "robustness_of_share",
    "apply_lens_blur",
    "unsharpened",
]
