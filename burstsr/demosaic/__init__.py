"""Demosaic: one frame to a picture."""

from burstsr.demosaic.stage import demosaic, upscale, upscale_rows

__all__ = ["demosaic", "upscale", "upscale_rows"]
