"""The merged picture made to explain the samples."""

from burstsr.reconstruct.data import View
from burstsr.reconstruct.stage import Outcome, reconstruct

__all__ = ["Outcome", "View", "reconstruct"]
