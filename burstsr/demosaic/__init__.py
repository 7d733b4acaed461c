"""Demosaic: one frame to a picture."""

from burstsr.demosaic.stage import demosaic, enlarge, enlarge_rows

__all__ = ["demosaic", "enlarge", "enlarge_rows"]
