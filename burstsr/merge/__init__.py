"""Merge: samples of all frames to one picture."""

from burstsr.merge.backproject import add_significant, combine
from burstsr.merge.chroma import calm_chroma
from burstsr.merge.stage import Accumulator
from burstsr.merge.steady import SteadyMean

__all__ = ["Accumulator", "SteadyMean", "add_significant", "calm_chroma", "combine"]
