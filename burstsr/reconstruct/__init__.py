"""The merged picture made to explain the samples."""

from burstsr.reconstruct.data import RegisteredFrame
from burstsr.reconstruct.safeguard import keep_what_agrees
from burstsr.reconstruct.stage import CERTAIN_PSF, Reconstruction, Task, reconstruct, trust_of_share

__all__ = ["CERTAIN_PSF", "Reconstruction", "RegisteredFrame", "Task", "keep_what_agrees", "reconstruct", "trust_of_share"]
