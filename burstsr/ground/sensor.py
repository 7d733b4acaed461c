"""From raw numbers to samples, and the two small pictures of a mosaic that stages look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import Frame, Levels
from burstsr.ground.noise import Noise

CHANNEL_SHARE = np.array([0.25, 0.5, 0.25], np.float32)  # of R, G, B in a quad; luma of camera RGB


def samples(mosaic: NDArray[np.uint16], levels: Levels) -> NDArray[np.float32]:
    """(H, W) float32 samples, (level - black) / (white - black) per site; 1.0 = saturation, not clipped."""
    out = np.empty(mosaic.shape, np.float32)
    scale = levels.scale()
    for y in (0, 1):
        for x in (0, 1):
            site = out[y::2, x::2]
            np.subtract(mosaic[y::2, x::2], np.float32(levels.black[y, x]), out=site)
            site *= np.float32(scale[y, x])
    return out


def clipped_samples(frame: Frame) -> NDArray[np.float32]:
    """(H, W) float32 samples of a frame, none above 1.0: what lies beyond saturation says no more than saturation."""
    return np.minimum(samples(frame.mosaic, frame.info.levels), np.float32(1.0))


def quads(frame: Frame) -> NDArray[np.float32]:
    """(H/2, W/2, 3) float32 R, G, B of every CFA quad, the two greens averaged."""
    x = samples(frame.mosaic, frame.info.levels)
    out = np.zeros((x.shape[0] // 2, x.shape[1] // 2, 3), np.float32)
    for i in (0, 1):
        for j in (0, 1):
            channel = int(frame.info.cfa[i, j])
            out[..., channel] += x[i::2, j::2]
    out[..., 1] *= np.float32(0.5)
    return out


def stabilise(grey: NDArray[np.float32], noise: Noise) -> NDArray[np.float32]:
    """Grey (any weighting 1:2:1 of R, G, B) to units in which a single sample's noise has deviation 1, in place.

    The square root of Poisson-Gaussian noise's transform: 2 / alpha sqrt(alpha x + 3/8 alpha^2 + beta) (Makitalo & Foi 2013, eq. 2).
    """
    alpha = max(float(CHANNEL_SHARE @ noise.alpha), 1e-9)
    beta = float(CHANNEL_SHARE @ noise.beta)
    grey *= np.float32(alpha)
    grey += np.float32(beta + 0.375 * alpha * alpha)
    np.maximum(grey, 0, out=grey)
    np.sqrt(grey, out=grey)
    grey *= np.float32(2.0 / alpha)
    return grey


def stabilised_quads(frame: Frame, noise: Noise) -> NDArray[np.float32]:
    """(H/2, W/2) float32: mean of each quad's four samples, stabilised; its noise has deviation 1/2."""
    x = samples(frame.mosaic, frame.info.levels)
    grey = x[::2, ::2] + x[::2, 1::2]
    grey += x[1::2, ::2]
    grey += x[1::2, 1::2]
    grey *= np.float32(0.25)
    return stabilise(grey, noise)
