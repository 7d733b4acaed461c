"""Models at work on pictures: classical ones, and networks tile by tile. One `Enlarger` for a picture, a raw frame or a folder of them.

`enlarger` makes one; classical models need no torch.
"""

from single.inference.enlarger import Model, Upscaler
from single.inference.factory import Request, check, enlarger
from single.inference.raw_images import upscale_frame, upscale_image, upscale_linear

__all__ = ["Upscaler", "Model", "Request", "check", "upscale_frame", "upscale_linear", "upscale_image", "enlarger"]
