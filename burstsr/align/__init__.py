"""Alignment: frames to flow per tile."""

from burstsr.align.stage import Aligner, sharpest

__all__ = ["Aligner", "sharpest"]
