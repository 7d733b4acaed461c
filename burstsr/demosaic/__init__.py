"""Demosaicing of one frame."""

from burstsr.demosaic.stage import demosaic, upscale, upscale_rows

__all__ = ["demosaic", "upscale", "upscale_rows"]
