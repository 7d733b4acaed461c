"""Raw mosaics as the four planes of the raw-to-RGB model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import FrameInfo
from burstsr.core.cfa import BLUE, GREEN, RED, Cfa
from burstsr.finish.colour import balance_gains

Floats = NDArray[np.float32]


def balance(info: FrameInfo) -> Floats:
    """Return (3,) white balance gains with minimum 1: saturation, hence white, reaches 1."""
    return balance_gains(info.colour).astype(np.float32)


def bayer_planes(mosaic: Floats, cfa: Cfa, gains: Floats) -> tuple[Floats, int, int]:
    """Convert samples (H, W) to (4, h, w) white-balanced R, G of the red row, G of the blue row, B; also return the rows and columns added in front.

    A mosaic that does not begin with red is mirrored outwards by a row or a column on both sides, which keeps the CFA order, so nothing is lost.
    """
    cfa.require_bayer("a model of raw mosaics")
    top, left = cfa.sites(RED)[0]
    wide = np.pad(mosaic, ((top, top + mosaic.shape[0] % 2), (left, left + mosaic.shape[1] % 2)), mode="reflect")
    sites = ((0, 0, RED), (0, 1, GREEN), (1, 0, GREEN), (1, 1, BLUE))
    return np.stack([wide[y::2, x::2] * gains[colour] for y, x, colour in sites]), top, left
