"""Weights of a bracket's samples: inverse variances at the level of the scene, 0 where a frame is clipped."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.cfa import GREEN
from burstsr.core.flow import Flow
from burstsr.core.noise import MODEL_ERROR, Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import CLIPPED, cells

Floats = NDArray[np.float32]
_SMOOTH = (5, 5)
_INSIDE = (5, 5)  # CFA cells that must all be clipped for a frame to be left out; nearer to the border of such an area clipped samples are replaced


def clipped_cells(frame: Frame) -> NDArray[np.uint8]:
    """Return (H/2, W/2) 1 at CFA cells with a clipped sample."""
    mosaic, levels = frame.mosaic, frame.info.levels
    most = np.clip(levels.black + CLIPPED * (levels.white - levels.black), 0, 65535)
    height, width = (n // 2 for n in mosaic.shape)
    found = np.zeros((height, width), np.uint8)
    for i, j in np.ndindex(2, 2):
        found |= (mosaic[i : 2 * height : 2, j : 2 * width : 2] >= most[i % most.shape[0], j % most.shape[1]]).astype(np.uint8)
    return found


def warped(values: NDArray[np.uint8] | Floats, flow: Flow) -> Floats:
    """Return a frame's values per CFA cell (h, w) at the reference's cells, bilinear."""
    at_y, at_x = ((place - np.float32(0.5)) * np.float32(0.5) for place in flow.positions((values.shape[0], values.shape[1]), (2, 2), (0.5, 0.5)))
    return np.asarray(cv2.remap(values.astype(np.float32), at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def precision_map(frame: Frame, flow: Flow, level: Floats, noise: Noise) -> Floats:
    """Return the weight, (H/2, W/2), of a frame's samples at the reference's CFA cells: variance of `noise` over its own, at `level`; 0 where it is clipped.

    level (H/2, W/2): of green, smooth. Frames of the highest saturation are never left out: what they clip, nothing measures.
    """
    out = relative_precision(frame, level, noise)
    if frame.info.levels.saturation < 1:
        inside = np.asarray(cv2.erode(clipped_cells(frame), np.ones(_INSIDE, np.uint8)), np.uint8)
        out[warped(inside, flow) > 0] = 0
    return out


def relative_precision(frame: Frame, level: Floats, noise: Noise) -> Floats:
    """Return the variance of `noise` over that of a frame's samples at `level`, model errors included."""
    own = frame.noise(noise)
    unit = noise.alpha[GREEN] * level + noise.beta[GREEN]
    brightest = np.minimum(cv2.dilate(level, np.ones((3, 3), np.uint8)), np.float32(frame.info.levels.saturation))  # it shows no more
    return np.asarray(unit / (own.alpha[GREEN] * level + own.beta[GREEN] + (MODEL_ERROR * brightest) ** 2), np.float32)


def smooth_level(frame: Frame) -> Floats:
    """Return the (H/2, W/2) smooth level of green of a frame."""
    return np.maximum(np.asarray(cv2.blur(green_cells(frame), _SMOOTH), np.float32), 0)


def green_cells(frame: Frame) -> Floats:
    """Return the (H/2, W/2) mean of green of a frame's CFA cells."""
    return np.ascontiguousarray(cells(as_bayer(frame))[..., GREEN])
