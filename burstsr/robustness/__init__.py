"""Robustness: what a frame shows against what the reference shows, to trust; and what the other frames show against the reference."""

from burstsr.robustness.mend import Mended, bridged, mended
from burstsr.robustness.stage import LEAST_TRUST, Guide

__all__ = ["LEAST_TRUST", "Guide", "Mended", "bridged", "mended"]
