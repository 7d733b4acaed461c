"""Reconstruction: maximum a posteriori estimate of the image from the samples of all frames (mode "best"), and safeguards."""

from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.safeguard import replace_contradicted
from burstsr.reconstruct.stage import PSF_FRACTION, Reconstruction, Task, reconstruct, robustness_of_share

__all__ = ["PSF_FRACTION", "Reconstruction", "RegisteredFrame", "Task", "reconstruct", "replace_contradicted", "robustness_of_share"]
