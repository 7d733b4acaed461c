"""Models at work on pictures: classical ones, and networks tile by tile. One `Enlarger` for a picture, a raw frame or a folder of them.

`enlarger` makes one; classical models need no torch.
"""

from single.inference.choose import Request, enlarger
from single.inference.enlarger import Enlarger, Model
from single.inference.raws import enlarge_frame, enlarge_picture

__all__ = ["Enlarger", "Model", "Request", "enlarge_frame", "enlarge_picture", "enlarger"]
