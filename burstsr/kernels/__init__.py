"""Covariance: a frame's structure to one merge kernel per CFA quad."""

from burstsr.kernels.stage import kernels

__all__ = ["kernels"]
