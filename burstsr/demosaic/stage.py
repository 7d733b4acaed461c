"""Demosaicing of one frame: the fallback where a burst has no sample of a colour, and for bursts of a single frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Frame
from burstsr.core.jit import over_rows
from burstsr.core.sensor import clipped_samples
from burstsr.demosaic import loops
from burstsr.demosaic.patterns import demosaic_pattern

Floats = NDArray[np.float32]
_SHARPNESS = -0.75  # free parameter of the bicubic kernel: its derivative at distance 1 (Keys 1981; OpenCV's choice)
_STRIP = 32  # rows that one thread upscales at a time


def demosaic(frame: Frame, mosaic: Floats | None = None) -> Floats:
    """Demosaic one frame: (H, W, 3) float32 linear camera RGB in units of samples, clipped to 0 .. 1.

    mosaic: (H, W) float32 samples to use instead of the frame's own. Of a monochrome frame all three are its samples.

    Of a Bayer frame, directional: green along rows and along columns with second-order correction (Hamilton & Adams 1997), per pixel the direction whose colour
    differences vary less in its neighbourhood (Menon et al. 2007, section III), then red and blue as green plus bilinear colour differences, then green
    once more from colour differences smoothed in its direction (section IV).
    Of other patterns: see `patterns`.
    Works on the square root of white-balanced samples: colour differences are smoother there, and noise is uniform.
    """
    if frame.info.cfa.is_mono:
        grey = np.clip(clipped_samples(frame) if mosaic is None else mosaic, 0, 1)
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2), np.float32)
    gain = (1.0 / np.maximum(frame.info.colour.as_shot_neutral, 1e-3)).astype(np.float32)
    x, cfa = clipped_samples(frame) if mosaic is None else mosaic, frame.info.cfa
    if not cfa.is_bayer:
        return demosaic_pattern(x, cfa, gain)
    out = large_arrays.empty((*x.shape, 3))
    over_rows(loops.demosaic_rows, x.shape[0], x, np.array(cfa), gain, out, multiple=loops.BLOCK_ROWS)
    return out


def upscale(image: Floats, scale: float) -> Floats:
    """Upscale to (round(s H), round(s W), 3), non-negative: bicubic on square roots, where edges ring less; output pixel o at (o + 0.5) / s - 0.5."""
    out: Floats = large_arrays.empty((*(round(scale * length) for length in image.shape[:2]), 3))
    for rows in large_arrays.strips(out):
        upscale_rows(image, scale, rows.start, rows.stop, out[rows])
    return out


def upscale_rows(image: Floats, scale: float, first: int, last: int, out: Floats | None = None) -> Floats:
    """Compute rows first .. last of `upscale`, identical to the last bit, into out (last - first, round(s W), 3)."""
    height, width = image.shape[:2]
    if out is None:
        out = np.empty((last - first, round(scale * width), 3), np.float32)
    if scale == 1.0:
        out[:] = image[first:last]
        return out
    over_rows(loops.upscale_rows, last - first, image, *_taps(height, scale), *_taps(width, scale), first, out, multiple=_STRIP)
    return out


def _taps(length: int, scale: float) -> tuple[NDArray[np.int64], Floats]:
    """Return, per output pixel along an axis, the first of its four source pixels (n,), possibly outside the image, and their weights (n, 4)."""
    position = (np.arange(round(scale * length)) + 0.5) / scale - 0.5
    first = np.floor(position).astype(np.int64) - 1
    distance = np.abs(first[:, None] + np.arange(4) - position[:, None])
    a = _SHARPNESS
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return first, np.where(distance <= 1, near, far).astype(np.float32)
