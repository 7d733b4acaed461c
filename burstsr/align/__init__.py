"""Alignment: estimate the flow of each frame against the reference, per tile."""

from burstsr.align.blur import FrameBlur, frame_blur
from burstsr.align.expected_gain import expected_gain_db, sampling_uniformity, shifts
from burstsr.align.global_motion import translation
from burstsr.align.lateral import NOTHING, Magnification, Patch, magnifications
from burstsr.align.sampling import certain, coverage, rigid_motion, subpixel_phases, unknown_motion
from burstsr.align.scenes import scenes
from burstsr.align.stage import Aligner, select_reference

__all__ = [
    "Aligner",
    "NOTHING",
    "FrameBlur",
    "Magnification",
    "Patch",
    "certain",
    "coverage",
    "expected_gain_db",
    "frame_blur",
    "magnifications",
    "rigid_motion",
    "sampling_uniformity",
    "scenes",
    "select_reference",
    "shifts",
    "subpixel_phases",
    "translation",
    "unknown_motion",
]
