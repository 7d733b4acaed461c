"""Merge: samples of all frames to one picture."""

from burstsr.merge.stage import Accumulator

__all__ = ["Accumulator"]
