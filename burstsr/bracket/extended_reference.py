"""The reference of a bracket with what it clips taken from shorter exposures: what kernels, the fallback and the safeguard see of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.precision import clipped_cells, warped
from burstsr.core.burst import Frame, Levels
from burstsr.core.flow import Flow
from burstsr.core.limits import at_least, at_most
from burstsr.core.mono import cell_channels, channel_map
from burstsr.core.sensor import CLIPPED, clipped_samples, samples
from burstsr.demosaic import demosaic

Floats = NDArray[np.float32]
_Value = TypeVar("_Value", np.bool_, np.float32)
_BLACK = 4096.0  # DN of the extended reference: room for noise below black
_AROUND = (3, 3)
_MOST_LEVELLED = 4.0  # factor between what a shorter exposure and the reference show of a CFA cell
_ACCEPTED = 0.3  # robustness from which a frame fills in


@dataclass(frozen=True)
class ExtendedReference:
    """samples: (H, W) of the reference, those it clips interpolated from shorter exposures. frame: the same as a frame, in whole DN.

    source: (H/2, W/2) index of the view that most samples of a CFA cell are from; `reference` where it is the reference.
    """

    samples: Floats
    frame: Frame
    source: NDArray[np.int64]


def extended(views: Sequence[tuple[Frame, Flow, Floats]], reference: int) -> ExtendedReference:
    """Return the reference of `views` (frame, flow, robustness), in units in which 1.0 is the saturation of the shortest exposure, with its highlights.

    Each clipped sample is interpolated in the longest of the shorter exposures that is not clipped there and robust; else in the longest that is not darker
    than the reference's saturation, and then as bright, relative to its CFA cell, as the samples that the reference does not clip; else it is a neutral of
    at least that.
    """
    frame = views[reference][0]
    own = frame.info.levels.saturation
    image = at_most(samples(frame.mosaic, frame.info.levels), own)
    missing = image >= np.float32(CLIPPED * own)
    clipped = missing.copy()
    source = np.full((image.shape[0] // 2, image.shape[1] // 2), reference)
    shorter = [i for i, view in enumerate(views) if view[0].info.levels.saturation > own]
    outwards = sorted(shorter, key=lambda i: views[i][0].info.levels.saturation)
    for i, least in [*((i, _ACCEPTED) for i in outwards), *((i, 0.0) for i in outwards)]:
        if not missing.any():
            break
        other, flow, robustness = views[i]
        usable = robustness >= least
        if other.info.levels.saturation < 1:
            beyond = np.asarray(cv2.dilate(clipped_cells(other), np.ones(_AROUND, np.uint8)), np.uint8)
            usable &= warped(beyond, flow) == 0
        shown = shown_at_reference(other, flow)
        fill = missing & _sites(usable)
        if least == 0:  # frames that do not agree with the reference, but with its saturation
            fill &= shown >= own
            shown *= _level(image, shown, clipped)
        np.maximum(image, shown, out=image, where=fill)
        source[_in_cells(fill).any(axis=(1, 3))] = i
        missing &= ~fill
    if missing.any():
        _fill_neutral(image, missing, frame)
    levels = Levels(np.full((2, 2), _BLACK), 65535.0)
    dn = np.clip(np.rint(image * np.float32(65535.0 - _BLACK) + np.float32(_BLACK)), 0, 65535).astype(np.uint16)
    return ExtendedReference(image, Frame(replace(frame.info, levels=levels), dn), source)


def _fill_neutral(image: Floats, missing: NDArray[np.bool_], frame: Frame) -> None:
    """Raise clipped samples that no frame shows, in place, to the level at which their CFA cell is neutral: a lower bound without a tint."""
    neutral = frame.info.colour.as_shot_neutral.astype(np.float32)[channel_map(frame)]
    level = np.max([image[i::2, j::2] / neutral[i::2, j::2] for i, j in np.ndindex(2, 2)], axis=0)
    for i, j in np.ndindex(2, 2):
        own = image[i::2, j::2]
        lost = missing[i::2, j::2]
        own[lost] = np.minimum(level * neutral[i::2, j::2], 1)[lost]


def _level(own: Floats, shown: Floats, clipped: NDArray[np.bool_]) -> Floats:
    """Return the factor around each CFA cell by which another frame is brighter or darker than the reference in what this does not clip; 1 without such."""
    sums = [_in_cells(np.where(clipped, np.float32(0), at_least(values, 0))).sum(axis=(1, 3)) for values in (own, shown)]
    brightness = [np.asarray(cv2.blur(values, _AROUND), np.float32) for values in sums]
    known = (sums[0] > 0) & (sums[1] > 0)
    factor = np.where(known, brightness[0] / np.where(known, brightness[1], np.float32(1)), np.float32(1))
    return _sites(np.asarray(np.clip(factor, 1 / _MOST_LEVELLED, _MOST_LEVELLED), np.float32))


def _in_cells(of_samples: NDArray[_Value]) -> NDArray[_Value]:
    """Return (H/2, 2, W/2, 2) of (H, W)."""
    height, width = of_samples.shape
    return of_samples.reshape(height // 2, 2, width // 2, 2)


def _sites(of_cells: NDArray[_Value]) -> NDArray[_Value]:
    return np.repeat(np.repeat(of_cells, 2, axis=0), 2, axis=1)


def shown_at_reference(frame: Frame, flow: Flow) -> Floats:
    """Return what a frame shows at the positions of the reference's samples, in their colours."""
    shown = RootImage(demosaic(frame, clipped_samples(frame))).at_samples(frame, flow)
    return at_most(shown, frame.info.levels.saturation, out=shown)


class RootImage:
    """An image (H, W, 3) to interpolate, bicubic, on square roots, where edges ring less."""

    def __init__(self, image: Floats) -> None:
        self._roots = [np.sqrt(at_least(np.asarray(plane, np.float32), 0)) for plane in cv2.split(image)]

    def at_samples(self, frame: Frame, flow: Flow) -> Floats:
        """Return it at p + flow(p) in the colours of a frame's samples, (H, W)."""
        (height, width), channels = frame.info.shape, cell_channels(frame)
        period_y, period_x = channels.shape
        out = np.empty((height, width), np.float32)
        for i, j in np.ndindex(period_y, period_x):
            site = out[i::period_y, j::period_x]
            y, x = flow.positions((site.shape[0], site.shape[1]), (period_y, period_x), (i, j))
            moved = cv2.remap(self._roots[channels[i, j]], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            site[:] = np.square(at_least(np.asarray(moved, np.float32), 0))
        return out


def imputed(frame: Frame, flow: Flow, image: RootImage) -> Frame:
    """Return a frame with its clipped samples replaced by what `image` of the extended reference shows there, at least their saturation.

    So they neither tint the merge nor leave a hole beside an edge, where longer exposures would otherwise only tell of its dark side. Its mosaic is float32.
    """
    saturation = np.float32(frame.info.levels.saturation)
    if saturation >= 1:
        return frame
    values = samples(frame.mosaic, frame.info.levels)
    clipped = values >= np.float32(CLIPPED) * saturation
    if not clipped.any():
        return frame
    shown = image.at_samples(frame, flow.inverse())
    np.copyto(values, at_least(shown, float(saturation), out=shown), where=clipped)
    return Frame(replace(frame.info, levels=Levels(np.zeros((2, 2)), 1.0)), values)  # type: ignore[arg-type]
