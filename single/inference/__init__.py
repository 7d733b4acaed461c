"""Inference: interpolation, and networks tile by tile. One `Upscaler` for any number of images or raw frames.

`make_upscaler` makes one; interpolation does not require torch.
"""

from burstsr.core.deprecated import renamed_names
from single.inference.factory import Request, check, make_upscaler
from single.inference.raw_images import upscale_frame, upscale_image, upscale_linear
from single.inference.upscaler import Model, Upscaler

__all__ = ["Upscaler", "Model", "Request", "check", "upscale_frame", "upscale_linear", "upscale_image", "make_upscaler"]

__getattr__ = renamed_names(globals(), enlarger="make_upscaler")
