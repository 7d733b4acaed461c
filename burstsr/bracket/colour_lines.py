"""Fringes beside highlights of a bracket: red and blue moved towards the colour lines of their neighbourhood.

At a hard edge of a highlight often a single exposure is neither clipped nor dark. It samples the edge with one phase of the CFA: the edge of red, green and
blue is displaced by a fraction of a pixel, which over several stops is a coloured fringe. But in a small neighbourhood of two colours, sharp or blurred, red
and blue are linear functions of luma (Levin, Lischinski & Weiss 2006, section 3: colour lines), here fitted by least squares of relative errors. Deviations
from them that such a displacement explains are fringes, and are removed; luma is unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.limits import at_least, at_most, extremes
from burstsr.core.parallel import in_parallel
from burstsr.core.sensor import CHANNEL_SHARE

Floats = NDArray[np.float32]
_AROUND_PX = 4.0  # radius, raw pixels, of the neighbourhood of a line
_EDGE_PX = 1.0  # radius, raw pixels, within which the range of luma measures the steepness of an edge
_DISPLACED = 0.3  # share of that range by which fringes differ from a line
_BRIGHT = (0.25, 0.5)  # level in the neighbourhood, relative to the reference's saturation: from none to full
_STOPS = (1.0, 2.0)  # range of luma there: from none to full
_PROPORTIONAL = 0.2  # spread of luma, relative to its mean, up to which lines are regularised towards that through black
_DARK, _DARKEST = 1e-3, 2e-3  # levels, relative to saturation, added to luma in relative errors, and to which ranges count
_BRIGHTEST = 4.0  # limit of red and blue relative to luma: of a pixel that has no other colour
_SIDES = (64, 128)  # pixels of a block
_LEAST = np.float32(1e-20)


def draw_to_colour_lines(image: Floats, neutral: NDArray[np.float64], saturation: float, scale: float) -> None:
    """Remove fringes beside highlights of a bracket's image (H, W, 3), in place. neutral: camera RGB of a neutral object.

    saturation: of the reference, in the image's units, in which 1.0 is that of the shortest exposure. scale: output pixels per raw pixel.
    """
    balance = neutral.astype(np.float32)
    reach = math.ceil(_AROUND_PX * scale)
    source = large_arrays.copied(image)

    def draw(own: tuple[slice, slice]) -> None:
        top, left = (max(part.start - reach, 0) for part in own)
        around = source[top : own[0].stop + reach, left : own[1].stop + reach]
        drawn = _drawn(around, balance, saturation, scale)
        if drawn is not None:
            image[own] = drawn[own[0].start - top :, own[1].start - left :][: own[0].stop - own[0].start, : own[1].stop - own[1].start]

    for _ in in_parallel(draw, list(_blocks(image.shape[0], image.shape[1]))):
        pass


def _blocks(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    for top in range(0, height, _SIDES[0]):
        for left in range(0, width, _SIDES[1]):
            yield slice(top, min(top + _SIDES[0], height)), slice(left, min(left + _SIDES[1], width))


def _drawn(image: Floats, neutral: Floats, saturation: float, scale: float) -> Floats | None:
    """Return a block without fringes; None if it has none."""
    colours = [at_least(image[..., c] / (neutral[c] * np.float32(saturation)), 0) for c in range(3)]
    luma: Floats = CHANNEL_SHARE[0] * (colours[0] + colours[2]) + CHANNEL_SHARE[1] * colours[1]
    reach = math.ceil(_AROUND_PX * scale)
    share = _beside_highlights(luma, reach)
    if not share.any():
        return None
    left = [colours[c] - line for c, line in zip((0, 2), _lines(luma, (colours[0], colours[2]), 2 * reach + 1), strict=True)]
    low, high = extremes(luma, round(_EDGE_PX * scale))
    explained = np.square(np.float32(_DISPLACED) * (high - low))
    share *= explained / (np.square(left[0]) + np.square(left[1]) + explained + _LEAST)
    colours[0] -= share * left[0]
    colours[2] -= share * left[1]
    colours[1] = at_least((luma - CHANNEL_SHARE[0] * colours[0] - CHANNEL_SHARE[2] * colours[2]) / CHANNEL_SHARE[1], 0)
    out = np.empty_like(image)
    for c, plane in enumerate(colours):
        changed = at_most(plane * (neutral[c] * np.float32(saturation)), 1)
        out[..., c] = np.where(share > 0, changed, image[..., c])
    return out


def _beside_highlights(luma: Floats, reach: int) -> Floats:
    """Return how much of the fringes to remove, 0 to 1: where the neighbourhood has highlights, and a range of stops. luma: 1.0 is saturation."""
    low, high = extremes(luma, reach)
    bright: Floats = np.clip((high - np.float32(_BRIGHT[0])) / np.float32(_BRIGHT[1] - _BRIGHT[0]), 0, 1)
    if not bright.any():
        return bright
    stops = np.log2(at_least(high, _DARKEST) / at_least(low, _DARKEST))
    return np.asarray(bright * np.clip((stops - np.float32(_STOPS[0])) / np.float32(_STOPS[1] - _STOPS[0]), 0, 1), np.float32)


def _lines(luma: Floats, planes: tuple[Floats, ...], side: int) -> Iterator[Floats]:
    """Yield, per plane, its linear function of luma in the square around each pixel, weighted for relative errors, regularised towards that through black."""

    def total(values: Floats) -> Floats:
        return np.asarray(cv2.boxFilter(values, -1, (side, side), normalize=False, borderType=cv2.BORDER_REFLECT), np.float32)

    weight = np.reciprocal(np.square(luma + np.float32(_DARK)))
    weighted, count = weight * luma, total(weight)
    mean = total(weighted) / count
    spread = at_least(total(weighted * luma) / count - np.square(mean), 0)
    through_black = np.float32(_PROPORTIONAL**2) * np.square(mean)
    for plane in planes:
        own = total(weight * plane) / count
        slope = total(weighted * plane) / count - mean * own + np.float32(_PROPORTIONAL**2) * mean * own
        slope /= spread + through_black + _LEAST
        yield np.asarray(np.clip(own + slope * (luma - mean), 0, np.float32(_BRIGHTEST) * luma), np.float32)
