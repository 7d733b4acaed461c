"""How a frame is blurred against the sharpest one."""

from __future__ import annotations

import math
from typing import NamedTuple

_KNOWN_PX = (0.7, 1.0)  # RMS length of a blur, raw pixels: from nearly Gaussian to not


class Blur(NamedTuple):
    """Second moments of a blur, raw pixels squared: those of the camera's path during the exposure, or the covariance of a Gaussian."""

    yy: float
    yx: float
    xx: float

    @property
    def rms_px(self) -> float:
        """RMS length, raw pixels."""
        return math.sqrt(max(self.yy + self.xx, 0.0))

    @property
    def reliability(self) -> float:
        """How far the moments determine the blur, 0 to 1: paths of one length and direction have the same spectrum while they are short."""
        narrow, wide = _KNOWN_PX
        return min(max((wide - self.rms_px) / (wide - narrow), 0.0), 1.0)
