"""Demosaicing and upscaling in plain NumPy and OpenCV, whole images at a time. The oracle of `loops.py`."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.cfa import BLUE, GREEN, RED

Floats = NDArray[np.float32]
_GREEN_TAPS = np.array([-0.25, 0.5, 0.5, 0.5, -0.25])
_ONE = np.array([1.0])
_BILINEAR = np.array([0.5, 1.0, 0.5])


def demosaic_rows(first: int, last: int, samples: Floats, cfa: NDArray[np.uint8], gain: Floats, out: Floats) -> None:
    """See `stage.demosaic`. samples (H, W); gain (3,): white balance; out (H, W, 3)."""
    x = np.minimum(samples, np.float32(1.0))
    for i in (0, 1):
        for j in (0, 1):
            x[i::2, j::2] *= gain[cfa[i, j]]
    x = np.sqrt(np.maximum(x, 0.0))
    green, along_rows = _green(x, cfa)
    smooth = {channel: _directional(_differences(x, green, cfa, channel), along_rows) for channel in (RED, BLUE)}
    for channel in (RED, BLUE):
        for i, j in _sites(cfa, channel):
            green[i::2, j::2] = x[i::2, j::2] - smooth[channel][i::2, j::2]
    image = np.empty((*x.shape, 3), np.float32)
    image[..., GREEN] = green
    for channel in (RED, BLUE):
        image[..., channel] = green + _differences(x, green, cfa, channel)
    out[first:last] = np.minimum(np.maximum(image, 0.0) ** 2 / gain, 1.0)[first:last]


def upscale_rows(
    first: int, last: int, image: Floats, rows: NDArray[np.int64], row_taps: Floats, columns: NDArray[np.int64], column_taps: Floats, base: int, out: Floats
) -> None:
    """See `stage.upscale`. Row o of the result, out[o - base], is the sum of four rows from rows[o] on, repeated beyond the border, weighted by row_taps[o]."""
    root = np.sqrt(np.maximum(image, 0.0)).astype(np.float64)
    tap = np.arange(4)
    wanted = slice(base + first, base + last)
    y = np.clip(rows[wanted, None] + tap, 0, image.shape[0] - 1)
    x = np.clip(columns[:, None] + tap, 0, image.shape[1] - 1)
    wide = np.einsum("yokc,ok->yoc", root[:, x], column_taps)
    large = np.einsum("okxc,ok->oxc", wide[y], row_taps[wanted])
    out[first:last] = np.maximum(large, 0.0) ** 2


def _sites(cfa: NDArray[np.uint8], channel: int) -> list[tuple[int, int]]:
    return [(i, j) for i in (0, 1) for j in (0, 1) if cfa[i, j] == channel]


def _green(x: Floats, cfa: NDArray[np.uint8]) -> tuple[Floats, NDArray[np.bool_]]:
    """Interpolate green; also return where it was interpolated along rows."""
    along = np.asarray(cv2.sepFilter2D(x, cv2.CV_32F, _GREEN_TAPS, _ONE, borderType=cv2.BORDER_REFLECT_101), np.float32)
    down = np.asarray(cv2.sepFilter2D(x, cv2.CV_32F, _ONE, _GREEN_TAPS, borderType=cv2.BORDER_REFLECT_101), np.float32)
    for i, j in _sites(cfa, GREEN):
        along[i::2, j::2] = down[i::2, j::2] = x[i::2, j::2]
    choose_rows = _variation(x - along, axis=1) <= _variation(x - down, axis=0)
    return np.where(choose_rows, along, down), choose_rows


def _differences(x: Floats, green: Floats, cfa: NDArray[np.uint8], channel: int) -> Floats:
    """Interpolate colour minus green bilinearly between the sites of the colour."""
    difference = np.zeros_like(x)
    for i, j in _sites(cfa, channel):
        difference[i::2, j::2] = x[i::2, j::2] - green[i::2, j::2]
    return np.asarray(cv2.sepFilter2D(difference, cv2.CV_32F, _BILINEAR, _BILINEAR, borderType=cv2.BORDER_REFLECT_101), np.float32)


def _directional(difference: Floats, along_rows: NDArray[np.bool_]) -> Floats:
    """Average three neighbours in the direction of interpolation."""
    rows = cv2.blur(difference, (3, 1), borderType=cv2.BORDER_REFLECT_101)
    columns = cv2.blur(difference, (1, 3), borderType=cv2.BORDER_REFLECT_101)
    return np.where(along_rows, rows, columns).astype(np.float32)


def _variation(difference: Floats, axis: int) -> Floats:
    """Return the mean over 5 x 5 of the change of the colour difference over two pixels along the axis (it is 0 on green)."""
    step = np.zeros_like(difference)
    if axis == 1:
        np.abs(difference[:, 2:] - difference[:, :-2], out=step[:, 1:-1])
    else:
        np.abs(difference[2:] - difference[:-2], out=step[1:-1])
    return np.asarray(cv2.boxFilter(step, -1, (5, 5), borderType=cv2.BORDER_REFLECT_101))


def predict_pattern(samples: Floats, weights: Floats) -> Floats:
    """Return (values, h, w) sums over the 7 x 7 samples around each pixel of samples (h + 6, w + 6) times weights[y % py, x % px], (values, 49)."""
    height, width = samples.shape[0] - 6, samples.shape[1] - 6
    y, x = np.mgrid[:height, :width]
    around = np.lib.stride_tricks.sliding_window_view(samples, (7, 7)).reshape(height, width, 49)
    return np.asarray(np.einsum("yxvt,yxt->vyx", weights[y % weights.shape[0], x % weights.shape[1]], around), np.float32)
