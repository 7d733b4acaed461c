"""Reconstruction: maximum a posteriori estimate of the image from the samples of all frames (mode "best"), and safeguards."""

from burstsr.reconstruct.data import RegisteredFrame
from burstsr.reconstruct.safeguard import replace_contradicted
from burstsr.reconstruct.stage import CERTAIN_PSF, Reconstruction, Task, reconstruct, trust_of_share

__all__ = ["CERTAIN_PSF", "Reconstruction", "RegisteredFrame", "Task", "reconstruct", "replace_contradicted", "trust_of_share"]
