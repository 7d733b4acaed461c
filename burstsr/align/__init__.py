"""Alignment: frames to flow per tile."""

from burstsr.align.expected_gain import expected_gain_db, sampling_uniformity, shifts
from burstsr.align.sampling import coverage, rigid_motion, subpixel_phases
from burstsr.align.scenes import scenes
from burstsr.align.stage import Aligner, select_reference

__all__ = ["Aligner", "coverage", "sampling_uniformity", "expected_gain_db", "subpixel_phases", "rigid_motion", "scenes", "select_reference", "shifts"]
