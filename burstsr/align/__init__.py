"""Alignment: frames to flow per tile."""

from burstsr.align.gain import evenness, expected_gain_db, shifts
from burstsr.align.phases import coverage, phases, rigid_motion
from burstsr.align.scenes import scenes
from burstsr.align.stage import Aligner, sharpest

__all__ = ["Aligner", "coverage", "evenness", "expected_gain_db", "phases", "rigid_motion", "scenes", "sharpest", "shifts"]
