"""Raw frames and linear images through a model: white-balanced, on the networks' transfer curve, and back to linear camera RGB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame, FrameInfo
from burstsr.core.coords import output_length
from burstsr.core.noise import Noise
from burstsr.core.result import Result
from burstsr.core.sensor import samples
from burstsr.core.srgb import decode_srgb, encode_srgb
from burstsr.demosaic import demosaic
from burstsr.noise import estimate_noise
from single.inference.upscaler import Progress, Upscaler
from single.mosaic import balance, bayer_planes, noise_map, noise_planes

Floats = NDArray[np.float32]


def upscale_frame(frame: Frame, upscaler: Upscaler, progress: Progress | None = None) -> Result:
    """Upscale a raw frame, demosaiced or, for a model of kind "bayer", directly from the mosaic: linear camera RGB, 1.0 = saturation.

    Of a monochrome frame a model of kind "image" sees three equal channels, whose mean is the result's one.
    """
    rgb = demosaic(frame)
    noise = noise_of(frame) if upscaler.noise_map else None
    if upscaler.kind == "bayer":
        mosaic = samples(frame.mosaic, frame.info.levels)
        made = _from_mosaic(mosaic, rgb, frame.info, upscaler, noise, progress)
    else:
        made = _from_colours(rgb, balance(frame.info), upscaler, noise, progress)
    if frame.info.cfa.is_mono:
        made = made.mean(axis=2, keepdims=True)
    return Result(made, frame.info, upscaler.scale)


def noise_of(frame: Frame) -> Noise:
    """Return the noise model of a frame: its NoiseProfile, else an estimate from its flattest blocks."""
    from burstsr.core.burst import Burst

    return estimate_noise(Burst(frame.info.path.name, (frame,)))[0]


def upscale_image(image: Result, upscaler: Upscaler, progress: Progress | None = None) -> Result:
    """Upscale an image of linear camera RGB. A model of kind "bayer", which requires scale 1, gets it resampled by the camera's CFA."""
    if upscaler.kind == "bayer":
        colours = image.reference.cfa.channel_map((image.image.shape[0], image.image.shape[1]))
        mosaic = np.take_along_axis(image.image, colours[:, :, None].astype(np.intp), axis=2)[:, :, 0]
        made = _from_mosaic(mosaic, image.image, image.reference, upscaler, image.noise_model, progress)
    else:
        grey = image.image.shape[2] == 1
        rgb = np.repeat(image.image, 3, axis=2) if grey else image.image
        made = _from_colours(rgb, balance(image.reference), upscaler, image.noise_model, progress)
        made = made.mean(axis=2, keepdims=True) if grey else made
    return replace(image, image=made, scale=image.scale * upscaler.scale, noise_model=None)


def upscale_linear(rgb: Floats, upscaler: Upscaler, progress: Progress | None = None) -> Floats:
    """Upscale a linear image with white (1, 1, 1) to (round(s H), round(s W), 3)."""
    return _from_colours(rgb, np.ones(3, np.float32), upscaler, None, progress)


def _from_colours(rgb: Floats, gains: Floats, upscaler: Upscaler, noise: Noise | None, progress: Progress | None) -> Floats:
    balanced = np.maximum(rgb, 0) * gains
    seen = np.minimum(balanced, 1)
    told = noise_map(seen, noise, gains) if upscaler.noise_map and noise is not None else None
    made = decode_srgb(upscaler.image(encode_srgb(seen), progress, told))
    return _with_highlights(made, balanced - seen, upscaler, gains)


def _from_mosaic(mosaic: Floats, rgb: Floats, info: FrameInfo, upscaler: Upscaler, noise: Noise | None, progress: Progress | None) -> Floats:
    gains = balance(info)
    planes, top, left = bayer_planes(mosaic, info.cfa, gains)
    given = encode_srgb(np.minimum(planes, 1))
    if upscaler.noise_map:
        given = np.concatenate((given, noise_planes(planes, noise or Noise(np.zeros(3), np.zeros(3)), gains)))
    made = upscaler.planes(given, progress)
    y, x = round(top * upscaler.scale), round(left * upscaler.scale)
    height, width = (output_length(n, upscaler.scale) for n in mosaic.shape)
    made = decode_srgb(np.clip(made[y : y + height, x : x + width], 0, 1))
    balanced = rgb * gains
    return _with_highlights(made, balanced - np.minimum(balanced, 1), upscaler, gains)


def _with_highlights(made: Floats, excess: Floats, upscaler: Upscaler, gains: Floats) -> Floats:
    """Convert back to camera RGB. excess: the part of a balanced colour above white, which networks do not process; it is interpolated."""
    if excess.any():
        made = made + np.maximum(upscaler.rest(excess), 0)
    return np.ascontiguousarray(made / gains, np.float32)
