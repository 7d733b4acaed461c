"""Reconstruction: maximum a posteriori estimate of the image from the samples of all frames (mode "best"), and safeguards."""

from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.safeguard import replace_contradicted
from burstsr.reconstruct.stage import Reconstruction, Task, reconstruct, robustness_of_share, through_lens

__all__ = ["Reconstruction", "RegisteredFrame", "Task", "reconstruct", "replace_contradicted", "robustness_of_share", "through_lens"]
