"""Models at work on pictures: classical ones, and networks tile by tile. One `Enlarger` for a picture, a raw frame or a folder of them.

`enlarger` makes one; classical models need no torch.
"""

from single.inference.choose import Request, check, enlarger
from single.inference.enlarger import Enlarger, Model
from single.inference.raws import enlarge_frame, enlarge_linear, enlarge_picture

__all__ = ["Enlarger", "Model", "Request", "check", "enlarge_frame", "enlarge_linear", "enlarge_picture", "enlarger"]
