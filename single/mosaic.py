"""Raw mosaics as the four planes of the raw-to-RGB model."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.burst import FrameInfo
from burstsr.core.cfa import BLUE, GREEN, RED, Cfa
from burstsr.core.noise import Noise
from burstsr.core.srgb import srgb_slope
from burstsr.finish.colour import balance_gains

Floats = NDArray[np.float32]
_COLOURS = (RED, GREEN, GREEN, BLUE)  # of the planes
_SMOOTHED = 5  # side of the window, in pixels of a plane, over which the level is averaged of which the noise is calculated


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
    sites = ((0, 0), (0, 1), (1, 0), (1, 1))
    return np.stack([wide[y::2, x::2] * gains[colour] for (y, x), colour in zip(sites, _COLOURS, strict=True)]), top, left


def noise_planes(planes: Floats, noise: Noise, gains: ArrayLike) -> Floats:
    """Return (4, h, w) standard deviations of the noise of white-balanced planes (`bayer_planes`), on the curve of `burstsr.core.srgb.encode_srgb`.

    They are those of the local mean of each plane: those of single samples would be noisy themselves. gains: (3,) white balance.
    """
    found = np.empty_like(planes)
    for plane, into, colour in zip(planes, found, _COLOURS, strict=True):
        level = cv2.blur(np.maximum(plane, 0), (_SMOOTHED, _SMOOTHED), borderType=cv2.BORDER_REFLECT)
        gain = float(np.asarray(gains)[colour])
        into[:] = np.sqrt(noise.variance(level / gain, colour)) * gain * srgb_slope(level)
    return found


def noise_map(balanced: Floats, noise: Noise, gains: ArrayLike) -> Floats:
    """Return (H, W): standard deviation of the noise of white-balanced colours (H, W, 3) once sRGB-encoded, root mean square of the three."""
    variances = []
    for colour, gain in enumerate(np.asarray(gains, float)):
        level = np.asarray(cv2.blur(np.ascontiguousarray(balanced[:, :, colour]), (_SMOOTHED, _SMOOTHED), borderType=cv2.BORDER_REFLECT), np.float32)
        variances.append(noise.variance(level / gain, colour) * (gain * srgb_slope(level)) ** 2)
    return np.asarray(np.sqrt(np.mean(variances, axis=0)), np.float32)
