"""Robustness: what a frame shows against what the reference shows, to trust; and what the other frames show against the reference."""

from burstsr.robustness.reference_outliers import Mended, bridged, mended
from burstsr.robustness.stage import LEAST_TRUST, RobustnessModel

__all__ = ["LEAST_TRUST", "RobustnessModel", "Mended", "bridged", "mended"]
