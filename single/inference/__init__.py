"""Inference: interpolation, and networks tile by tile. One `Upscaler` for any number of images or raw frames.

`enlarger` makes one; interpolation does not require torch.
"""

from single.inference.enlarger import Model, Upscaler
from single.inference.factory import Request, check, enlarger
from single.inference.raw_images import upscale_frame, upscale_image, upscale_linear

__all__ = ["Upscaler", "Model", "Request", "check", "upscale_frame", "upscale_linear", "upscale_image", "enlarger"]
