"""Two established methods of stacking a burst: averaging frames warped by optical flow, and drizzle."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shots import Shot
from burstsr.core.coords import output_length, output_position, raw_position
from burstsr.core.sensor import CHANNEL_SHARE, clipped_samples
from burstsr.demosaic import demosaic

Floats = NDArray[np.float32]
PIXFRAC, PIXFRAC_DARK = 0.7, 1.4  # side of a drop in raw pixels, below and from ISO 800; best of 0.5, 0.7, 1.0, 1.4 at 13 frames and x2
_DARK_ISO = 800.0
_GAMMA = 2.2


def optical_flow_mean(shot: Shot) -> Floats:
    """Mean of all frames, demosaiced and warped to frame 0 by DIS optical flow (Kroeger 2016, OpenCV) on 8-bit grey, with cubic interpolation."""
    frames = [demosaic(frame) for frame in shot.burst]
    shape = (output_length(frames[0].shape[0], shot.scale), output_length(frames[0].shape[1], shot.scale))
    y, x = (raw_position(np.arange(length), shot.scale).astype(np.float32) for length in shape)
    matcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    reference = _grey(frames[0], shot)
    total = np.zeros((*shape, 3), np.float32)
    for index, frame in enumerate(frames):
        flow = np.zeros((*reference.shape, 2), np.float32)
        if index > 0:
            flow = np.asarray(matcher.calc(reference, _grey(frame, shot), flow), np.float32)
        fine = cv2.resize(flow, (shape[1], shape[0]), fx=shot.scale, fy=shot.scale, interpolation=cv2.INTER_LINEAR)
        total += cv2.remap(frame, x[None, :] + fine[..., 0], y[:, None] + fine[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return total / np.float32(len(frames))


def drizzled(shot: Shot, fallback: Floats) -> Floats:
    """Drizzle (Fruchter & Hook 2002, the STScI package) of each colour's samples, placed by the pipeline's flow; `fallback` where no drop fell."""
    from drizzle.resample import Drizzle

    info = shot.burst.info
    height, width = info.shape
    shape = (output_length(height, shot.scale), output_length(width, shot.scale))
    pixfrac = PIXFRAC if info.iso < _DARK_ISO else PIXFRAC_DARK
    masks = [(info.cfa.channel_map((height, width)) == channel).astype(np.float32) for channel in range(3)]
    planes = [Drizzle(kernel="square", fillval="NaN", out_shape=shape, disable_ctx=True) for _ in range(3)]
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    for frame, flow in zip(shot.burst, shot.flows, strict=True):
        data = clipped_samples(frame)
        back = flow.inverse().at(y, x)
        places = np.stack([output_position(x + back[..., 1], shot.scale), output_position(y + back[..., 0], shot.scale)], axis=-1)
        for plane, mask in zip(planes, masks, strict=True):
            plane.add_image(data, exptime=1.0, pixmap=places, weight_map=mask, pixfrac=pixfrac, pixel_scale_ratio=1 / shot.scale)
    image = np.stack([plane.out_img for plane in planes], axis=-1)
    return np.asarray(np.where(np.isfinite(image), image, fallback), np.float32)


def _grey(image: Floats, shot: Shot) -> NDArray[np.uint8]:
    balanced = image / shot.colour.as_shot_neutral.astype(np.float32)
    grey = np.clip(balanced @ CHANNEL_SHARE / np.float32(balanced.max()), 0, 1) ** np.float32(1 / _GAMMA)
    return np.asarray(np.rint(grey * 255), np.uint8)
