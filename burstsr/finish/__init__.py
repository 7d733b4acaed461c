"""Linear camera RGB to display: white balance, colour matrix, tone, sharpening, orientation. Not applied to DNG."""

from burstsr.core.orientation import orient, unorient
from burstsr.finish.stage import finish, finish_linear, finish_uint8, finish_uint16

__all__ = ["finish", "finish_linear", "finish_uint8", "finish_uint16", "orient", "unorient"]
