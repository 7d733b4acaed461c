"""Robustness: per-pixel agreement of aligned frames with the reference, and detection of outliers in the reference itself."""

from burstsr.robustness.reference_outliers import RepairedReference, inpaint_flow, repair_reference
from burstsr.robustness.stage import MIN_ROBUSTNESS, RobustnessModel

__all__ = ["MIN_ROBUSTNESS", "RepairedReference", "RobustnessModel", "inpaint_flow", "repair_reference"]
