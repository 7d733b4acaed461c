"""Demosaicing of a single frame."""

from burstsr.demosaic.stage import demosaic, enlarge

__all__ = ["demosaic", "enlarge"]
