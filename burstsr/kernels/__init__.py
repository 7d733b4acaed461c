"""Merge kernels from the local structure of a frame, one per CFA cell."""

from burstsr.kernels.stage import kernels

__all__ = ["kernels"]
