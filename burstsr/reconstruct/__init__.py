"""The merged picture made to explain the samples."""

from burstsr.reconstruct.data import View
from burstsr.reconstruct.stage import CERTAIN_PSF, Outcome, reconstruct

__all__ = ["CERTAIN_PSF", "Outcome", "View", "reconstruct"]
