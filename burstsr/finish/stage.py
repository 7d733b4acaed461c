"""Rendering of a result for display, in blocks of rows: at 48 MP a full float copy takes 576 MB; only the result itself is held in full."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.jit import over_rows
from burstsr.core.orientation import orient, unorient
from burstsr.core.result import Result
from burstsr.core.srgb import camera_to_srgb
from burstsr.finish import loops
from burstsr.finish.colour import CONTRAST, balance_gains, brightest_balanced, highlights_compressed, linear_srgb, linear_srgb_of_bracket
from burstsr.settings import FinishSettings

_BLOCK_ROWS = 64
_REACH_SIGMAS = 3.5  # of the unsharp mask's Gaussian


def finish(result: Result, settings: FinishSettings) -> NDArray[np.float32]:
    """(H', W', 3) float32 sRGB in 0 .. 1, upright by the reference's orientation (H' and W' swapped for codes 5 to 8), C order.

    What a bracket has above saturation is compressed first, unless `compress_highlights` is off. White balance by the reference's as-shot neutral, clipped
    highlights to white, camera matrix, `exposure_ev`, sRGB encoding, `tone`, `sharpen`.
    Each setting at 0 leaves the values exactly as they were.
    """
    return _finished(result, settings, np.dtype(np.float32))


def finish_uint8(result: Result, settings: FinishSettings) -> NDArray[np.uint8]:
    """`finish` in 8 bits, without a float copy of the whole."""
    return _finished(result, settings, np.dtype(np.uint8))


def finish_uint16(result: Result, settings: FinishSettings) -> NDArray[np.uint16]:
    """`finish` in 16 bits, without a float copy of the whole."""
    return _finished(result, settings, np.dtype(np.uint16))


def finish_linear(result: Result) -> NDArray[np.float32]:
    """(H', W', 3) float32 linear sRGB, upright: white balance, highlights and matrix only; colours outside sRGB below 0 or above 1.

    So are a bracket's highlights.
    """
    gains, matrix = balance_gains(result.reference.colour), camera_to_srgb(result.reference.colour)
    if result.peak > 1:
        return _by_blocks(result, np.dtype(np.float32), lambda first, last: linear_srgb_of_bracket(result.image[first:last], gains, matrix, result.peak))
    return _by_blocks(result, np.dtype(np.float32), lambda first, last: linear_srgb(result.image[first:last], gains, matrix))


def _finished(result: Result, settings: FinishSettings, kind: np.dtype[Any]) -> NDArray[Any]:
    """In `kind`: whole numbers with their largest as 1, or float32."""
    rgb = np.ascontiguousarray(result.image, np.float32)
    gains = balance_gains(result.reference.colour).astype(np.float32)
    matrix = (camera_to_srgb(result.reference.colour) * 2.0**settings.exposure_ev).astype(np.float32)
    contrast, strength = np.float32(CONTRAST * settings.tone), np.float32(settings.sharpen)
    white = brightest_balanced(rgb, gains, result.peak) if result.peak > 1 and large_arrays.largest(rgb).max() > 1 and settings.compress_highlights else 1.0
    radius = math.ceil(_REACH_SIGMAS * settings.sharpen_radius_px) if settings.sharpen else 0
    size = 2 * radius + 1

    def block(first: int, last: int) -> NDArray[Any]:
        above, below = max(first - radius, 0), min(last + radius, rgb.shape[0])
        encoded = np.empty((below - above, *rgb.shape[1:]), np.float32)
        luma = np.empty(encoded.shape[:2], np.float32)
        camera_rgb = highlights_compressed(rgb[above:below], gains, white, result.peak)
        loops.encode_rows(0, len(encoded), camera_rgb, gains, matrix, contrast, encoded, luma)
        if settings.sharpen:
            blurred = cv2.GaussianBlur(luma, (size, size), settings.sharpen_radius_px, borderType=cv2.BORDER_REFLECT_101)
            loops.sharpen_rows(first - above, last - above, luma, blurred, strength, encoded)
        shown = encoded[first - above : last - above]
        if kind.kind == "u":
            shown *= np.float32(np.iinfo(kind).max)
            np.rint(shown, out=shown)
        return shown

    return _by_blocks(result, kind, block)


def _by_blocks(result: Result, kind: np.dtype[Any], block: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
    """Fill an upright image of dtype `kind`, through a view in stored orientation, from blocks of rows, in parallel."""
    code = result.reference.orientation
    upright = large_arrays.empty(orient(result.image, code).shape, kind)
    stored = unorient(upright, code)

    def rows(first: int, last: int) -> None:
        for start in range(first, last, _BLOCK_ROWS):
            end = min(start + _BLOCK_ROWS, last)
            stored[start:end] = block(start, end)

    over_rows(rows, result.image.shape[0])
    return upright
