"""Merge: accumulate the samples of all frames into one image."""

from burstsr.merge.back_projection import ReferenceImage, add_wiener_residual, blend_reference_detail
from burstsr.merge.chroma_denoise import denoise_chroma
from burstsr.merge.mono import MonoMerge
from burstsr.merge.predicted_step import add_predicted_step
from burstsr.merge.same_phase import SamePhaseMean
from burstsr.merge.stage import KernelMerge

__all__ = [
    "KernelMerge",
    "MonoMerge",
    "ReferenceImage",
    "SamePhaseMean",
    "add_predicted_step",
    "add_wiener_residual",
    "denoise_chroma",
    "blend_reference_detail",
]
