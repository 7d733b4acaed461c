"""Alignment: frames to flow per tile."""

from burstsr.align.phases import coverage, phases, rigid_motion
from burstsr.align.stage import Aligner, sharpest

__all__ = ["Aligner", "coverage", "phases", "rigid_motion", "sharpest"]
