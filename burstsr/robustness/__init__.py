"""Robustness: per-pixel agreement of aligned frames with the reference, and detection of outliers in the reference itself."""

from burstsr.robustness.reference_outliers import (
    RepairedReference,
    Witnesses,
    inpaint_flow,
    majority,
    median_of_finite,
    repair_reference,
    variance_of_means,
)
from burstsr.robustness.stage import MIN_ROBUSTNESS, RobustnessModel

__all__ = [
    "MIN_ROBUSTNESS",
    "RepairedReference",
    "RobustnessModel",
    "Witnesses",
    "inpaint_flow",
    "majority",
    "median_of_finite",
    "repair_reference",
    "variance_of_means",
]
