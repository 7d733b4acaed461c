"""The merged picture made to explain the samples."""

from burstsr.reconstruct.data import RegisteredFrame
from burstsr.reconstruct.stage import CERTAIN_PSF, Reconstruction, Task, reconstruct, trust_of_share

__all__ = ["CERTAIN_PSF", "Reconstruction", "RegisteredFrame", "Task", "reconstruct", "trust_of_share"]
