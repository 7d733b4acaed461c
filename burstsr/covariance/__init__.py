"""Covariance: a frame's structure to one merge kernel per CFA quad."""

from burstsr.covariance.stage import kernels

__all__ = ["kernels"]
