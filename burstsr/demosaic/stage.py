"""One frame to a picture of its own size: the fallback where a burst gives a colour no sample, and all there is for a burst of one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import BLUE, GREEN, RED, Frame
from burstsr.ground.sensor import clipped_samples

Floats = NDArray[np.float32]
_GREEN_TAPS = np.array([-0.25, 0.5, 0.5, 0.5, -0.25])
_ONE = np.array([1.0])
_BILINEAR = np.array([0.5, 1.0, 0.5])


def demosaic(frame: Frame, mosaic: Floats | None = None) -> Floats:
    """(H, W, 3) float32 linear camera RGB of one frame, in samples' units, clipped to 0 .. 1.

    mosaic: (H, W) float32 samples to use instead of the frame's own.

    Directional: green along rows and along columns with second-order correction (Hamilton & Adams 1997), per pixel the direction whose colour
    differences vary less in its neighbourhood (Menon et al. 2007, section III), then red and blue as green plus bilinear colour differences, then green
    once more from colour differences smoothed in its direction (section IV).
    Works on the square root of white-balanced samples: colour differences are smoother there, and noise even.
    """
    cfa = frame.info.cfa
    gain = (1.0 / np.maximum(frame.info.colour.as_shot_neutral, 1e-3)).astype(np.float32)
    x = clipped_samples(frame) if mosaic is None else np.minimum(mosaic, np.float32(1.0))
    for i in (0, 1):
        for j in (0, 1):
            x[i::2, j::2] *= gain[cfa[i, j]]
    x = np.sqrt(np.maximum(x, 0.0))
    green, along_rows = _green(x, cfa)
    picture = np.empty((*x.shape, 3), np.float32)
    for channel in (RED, BLUE):
        picture[..., channel] = green + _differences(x, green, cfa, channel)
    for channel in (RED, BLUE):
        smooth = _directional(picture[..., channel] - green, along_rows)
        for i, j in _sites(cfa, channel):
            green[i::2, j::2] = x[i::2, j::2] - smooth[i::2, j::2]
    picture[..., GREEN] = green
    for channel in (RED, BLUE):
        picture[..., channel] = green + _differences(x, green, cfa, channel)
    picture = np.maximum(picture, 0.0) ** 2
    picture /= gain
    return np.asarray(np.minimum(picture, np.float32(1.0)), np.float32)


def _sites(cfa: NDArray[np.uint8], channel: int) -> list[tuple[int, int]]:
    return [(i, j) for i in (0, 1) for j in (0, 1) if cfa[i, j] == channel]


def _green(x: Floats, cfa: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.bool_]]:
    """Green everywhere, and where it was interpolated along rows."""
    along = np.asarray(cv2.sepFilter2D(x, cv2.CV_32F, _GREEN_TAPS, _ONE, borderType=cv2.BORDER_REFLECT_101), np.float32)
    down = np.asarray(cv2.sepFilter2D(x, cv2.CV_32F, _ONE, _GREEN_TAPS, borderType=cv2.BORDER_REFLECT_101), np.float32)
    for i, j in _sites(cfa, GREEN):
        along[i::2, j::2] = down[i::2, j::2] = x[i::2, j::2]
    choose_rows = _variation(x - along, axis=1) <= _variation(x - down, axis=0)
    return np.where(choose_rows, along, down), choose_rows


def _differences(x: Floats, green: Floats, cfa: NDArray[np.uint8], channel: int) -> Floats:
    """Colour less green, known at the colour's sites, bilinear between them."""
    difference = np.zeros_like(x)
    for i, j in _sites(cfa, channel):
        difference[i::2, j::2] = x[i::2, j::2] - green[i::2, j::2]
    return np.asarray(cv2.sepFilter2D(difference, cv2.CV_32F, _BILINEAR, _BILINEAR, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _directional(difference: Floats, along_rows: NDArray[np.bool_]) -> Floats:
    """Mean of three neighbours in the direction of interpolation."""
    rows = cv2.blur(difference, (3, 1), borderType=cv2.BORDER_REFLECT_101)
    columns = cv2.blur(difference, (1, 3), borderType=cv2.BORDER_REFLECT_101)
    return np.where(along_rows, rows, columns).astype(np.float32)


def _variation(difference: Floats, axis: int) -> Floats:
    """Mean over 5 x 5 of how much the colour difference changes over two pixels along the axis (it is 0 on green)."""
    step = np.zeros_like(difference)
    if axis == 1:
        np.abs(difference[:, 2:] - difference[:, :-2], out=step[:, 1:-1])
    else:
        np.abs(difference[2:] - difference[:-2], out=step[1:-1])
    return np.asarray(cv2.boxFilter(step, -1, (5, 5), borderType=cv2.BORDER_REFLECT_101))


def enlarge(picture: Floats, scale: float) -> Floats:
    """(round(s H), round(s W), 3), values from 0: bicubic on square roots, where edges ring less; output pixel o at (o + 0.5) / s - 0.5."""
    if scale == 1.0:
        return picture.copy()
    large = np.asarray(cv2.resize(np.sqrt(np.maximum(picture, 0)), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.float32)
    np.maximum(large, 0, out=large)
    large *= large
    return large
