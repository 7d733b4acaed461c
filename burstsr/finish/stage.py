"""A picture to display, block of rows by block of rows: at 48 MP a full float copy is 576 MB, and the result is the only one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.finish.colour import LUMA, Pixels, balance_gains, camera_to_srgb, encode_srgb, linear_srgb, tone_curve
from burstsr.finish.orientation import orient, unorient
from burstsr.ground.burst import Picture
from burstsr.ground.compiled import over_rows
from burstsr.settings import FinishSettings

_BLOCK_ROWS = 128
_REACH_SIGMAS = 3.5  # of the unsharp mask's Gaussian


def finish(picture: Picture, settings: FinishSettings) -> NDArray[np.float32]:
    """(H', W', 3) float32 sRGB in 0 .. 1, upright by the reference's orientation (H' and W' swapped for codes 5 to 8), C order.

    White balance by the reference's as-shot neutral, clipped highlights to white, camera matrix, `exposure_ev`, sRGB encoding, `tone`, `sharpen`.
    Each setting at 0 leaves the values exactly as they were.
    """
    return _finished(picture, settings, np.dtype(np.float32), lambda block: block)


def finish_uint8(picture: Picture, settings: FinishSettings) -> NDArray[np.uint8]:
    """`finish` in 8 bits, without a float copy of the whole."""
    return _finished(picture, settings, np.dtype(np.uint8), lambda block: np.rint(block * np.float32(255)))


def finish_uint16(picture: Picture, settings: FinishSettings) -> NDArray[np.uint16]:
    """`finish` in 16 bits, without a float copy of the whole."""
    return _finished(picture, settings, np.dtype(np.uint16), lambda block: np.rint(block * np.float32(65535)))


def finish_linear(picture: Picture) -> NDArray[np.float32]:
    """(H', W', 3) float32 linear sRGB, upright: white balance, highlights and matrix only; colours outside sRGB below 0 or above 1."""
    gains, matrix = balance_gains(picture.reference.colour), camera_to_srgb(picture.reference.colour)
    return _by_blocks(picture, np.dtype(np.float32), lambda first, last: linear_srgb(picture.rgb[first:last], gains, matrix))


def _finished(picture: Picture, settings: FinishSettings, kind: np.dtype[Any], number: Callable[[Pixels], NDArray[Any]]) -> NDArray[Any]:
    gains, matrix = balance_gains(picture.reference.colour), camera_to_srgb(picture.reference.colour)
    brightening = np.float32(2.0**settings.exposure_ev)
    radius = math.ceil(_REACH_SIGMAS * settings.sharpen_radius_px) if settings.sharpen else 0

    def block(first: int, last: int) -> NDArray[Any]:
        above, below = max(first - radius, 0), min(last + radius, picture.rgb.shape[0])
        linear = linear_srgb(picture.rgb[above:below], gains, matrix)
        encoded = tone_curve(encode_srgb(linear * brightening if settings.exposure_ev else linear), settings.tone)
        return number(_sharpened(encoded, settings, radius)[first - above : last - above])

    return _by_blocks(picture, kind, block)


def _by_blocks(picture: Picture, kind: np.dtype[Any], block: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
    """Fill an upright picture of `kind` through its view as stored, from blocks of rows, on all cores."""
    code = picture.reference.orientation
    upright = np.empty(orient(picture.rgb, code).shape, kind)
    stored = unorient(upright, code)

    def rows(first: int, last: int) -> None:
        for start in range(first, last, _BLOCK_ROWS):
            end = min(start + _BLOCK_ROWS, last)
            stored[start:end] = block(start, end)

    over_rows(rows, picture.rgb.shape[0])
    return upright


def _sharpened(encoded: Pixels, settings: FinishSettings, radius: int) -> Pixels:
    """Unsharp mask on luma: every channel gets the same detail added, so that colours keep their hue."""
    if not settings.sharpen:
        return encoded
    luma = encoded @ LUMA
    sigma = settings.sharpen_radius_px
    blurred = cv2.GaussianBlur(luma, (2 * radius + 1, 2 * radius + 1), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(np.clip(encoded + (np.float32(settings.sharpen) * (luma - blurred))[:, :, None], 0, 1))
