"""Merge: samples of all frames to one picture."""

from burstsr.merge.backproject import add_significant, combine
from burstsr.merge.stage import Accumulator

__all__ = ["Accumulator", "add_significant", "combine"]
