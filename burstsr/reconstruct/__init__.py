"""The merged picture made to explain the samples."""

from burstsr.reconstruct.data import View
from burstsr.reconstruct.stage import CERTAIN_PSF, Outcome, reconstruct, trust_of_share

__all__ = ["CERTAIN_PSF", "Outcome", "View", "reconstruct", "trust_of_share"]
