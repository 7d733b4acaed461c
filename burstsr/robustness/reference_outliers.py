"""Outliers of the reference itself: a satellite's trail, a cosmic ray, a bird. Where the other frames agree with each other against it, they are right.

There the reference gets what the median of the others shows, so that kernels, robustness and demosaicing see the scene, and its own samples lose their
weight. What moves slowly, so that frames show parts of it in the same place, stays the reference's own: no frame agrees with enough others there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.robustness.stage import RobustnessModel

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Views = Sequence[tuple[Frame, Flow]]
_FEWEST = 3  # other frames that must contradict the reference
_CLEAR, _MOST = 2 / 3, 0.5  # shares of the frames that see a quad: a clear majority, and as many
_LARGEST = 0.4  # share of the frame: beyond, the reference shows another scene, or another light
_OF_MEANS = np.array([1.0, 0.5, 1.0]) / 9  # noise variance of a mean over 3 x 3 quads, over a sample's: R, G, B
_NOISE = 6.0  # such variances by which the reference must differ from the median of the others, squared
_SPREAD = 6.0  # the same in squared distances of the others from their median
_STRUCTURE = 0.2  # the same in variances of what is around: interpolation blurs it
_FIRM = 1.5  # spread and structure count so many times in the firm part of an outlier
_FIRM_SHARE = 0.35  # of an outlier that must be firm: less is alias
_UNCLEAR = 0.8  # quads beside an outlier that most frames contradict without agreeing, over its own: more is alias, or a mover
_FEWEST_QUADS = 4  # of an outlier: a single sample spoils nine 3 x 3 means
_WITH_REFERENCE = 0.3  # how much of an outlier a frame may show: 0 = what the median shows, 1 = what the reference shows
_MAY_SHOW = 0.125  # share of the frames that may show more: where more do, it moves slowly, and what is behind it is not known
_GROWN = 3  # quads by which what is mended reaches beyond an outlier: blurred edges
_DISTURBED = 0.35  # share of a tile that an outlier must cover to spoil its motion
_MOST_TILES = 0.8  # share of a frame's tiles whose motion may be told from the others
_BESIDE = 3  # quads around an outlier in which the frames before and after are looked at
_STILL_THERE = 0.3  # area in which they show something else than the others do, over the outlier's: as a mover
_REACH = 3.0  # tiles from which it is told
_POINTS = 50_000  # quads at a time


@dataclass(frozen=True)
class Mended:
    """frame: the reference with what the others show at its outliers. trust: (H/2, W/2) 0 there, else 1: of its own samples. flows: of all frames, those of
    tiles that outliers disturbed from their neighbours.
    """

    frame: Frame
    robustness: Floats
    flows: list[Flow]


def mended(frames: Sequence[Frame], index: int, flows: Sequence[Flow], guide: RobustnessModel, noise: Noise) -> Mended | None:
    """frames[index] without its outliers; None where there are none. flows: against it. guide: its, which was asked about all other frames."""
    clear = (guide.contradicting >= _FEWEST) & (guide.contradicting >= _CLEAR * guide.seeing)
    if not _FEWEST_QUADS <= np.count_nonzero(clear) <= _LARGEST * clear.size:
        return None
    found = _outliers(guide, _others(frames, index, flows, np.argwhere(clear)), clear, noise)
    if found.any():
        found = _passed_by(found, guide, _others(frames, index, flows, np.argwhere(found)), index, noise)
    if not found.any():
        return None
    region, disturbed = _dilated(found, _GROWN), np.argwhere(found)
    frame = _filled(frames[index], _others(frames, index, flows, disturbed), region)
    flows = [flow if i == index else bridged(flow, disturbed) for i, flow in enumerate(flows)]
    return Mended(frame, np.where(region, np.float32(0), np.float32(1)), flows)


def _outliers(guide: RobustnessModel, others: Views, clear: Mask, noise: Noise) -> Mask:
    """Quads where the reference differs from the median of the others far more than they do from each other, and they from it."""
    at = np.argwhere(clear)
    shown = np.stack([guide.shown(frame, flow, at) for frame, flow in others])
    values, structure = shown[:, :3], np.nan_to_num(_median(shown[:, 3]))
    median, may_show = _median(values), int(_MAY_SHOW * len(others))
    gain = noise.gain.cells((2 * clear.shape[0], 2 * clear.shape[1]))[:, at[:, 0], at[:, 1]] if noise.gain else np.ones((3, 1))
    variance = np.stack([noise.variance(np.nan_to_num(m), c, gain[c]) for c, m in enumerate(median)]) * _OF_MEANS[:, None]
    away = np.nan_to_num(guide.mean[:, at[:, 0], at[:, 1]] - median)
    apart = np.sort(np.nan_to_num((values - median) ** 2).sum(axis=1), axis=0)[-1 - may_show]
    excess = (away**2).sum(axis=0) - _NOISE * variance.sum(axis=0)
    least = _SPREAD * apart + _STRUCTURE * structure
    found, firm = np.zeros((2, *clear.shape), bool)
    found[tuple(at.T)], firm[tuple(at.T)] = excess > least, excess > _FIRM * least
    found = clear & (cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0)

    most = (guide.contradicting >= 2) & (guide.contradicting >= _MOST * guide.seeing)
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    around = cv2.dilate(labels.astype(np.float32), np.ones((2 * _GROWN + 1, 2 * _GROWN + 1), np.uint8)).astype(np.int64)
    area, of_firm, unclear = (np.bincount(v, minlength=count) for v in (labels[found], labels[firm], around[most & ~found]))
    label = labels[tuple(at.T)]
    full = np.bincount(label, (away**2 / variance).sum(axis=0), count)
    shares = [np.bincount(label, (np.nan_to_num(v - median) * away / variance).sum(axis=0), count) for v in values]
    showing = np.sum([share > _WITH_REFERENCE * full for share in shares], axis=0)
    chosen = (area >= _FEWEST_QUADS) & (of_firm >= _FIRM_SHARE * area) & (unclear <= _UNCLEAR * area) & (showing <= may_show)
    chosen[0] = False
    return np.asarray(chosen[labels])


def _passed_by(found: Mask, guide: RobustnessModel, others: Views, index: int, noise: Noise) -> Mask:
    """The outliers but those that are still there, in part, in the frame before or after: they move by less than their own size from frame to frame.

    Such movers belong to the scene as the reference saw it. What is gone by the next frame only passed by.
    """
    near = [i for i in (index - 1, index) if 0 <= i < len(others)]
    at = np.argwhere(_dilated(found, _BESIDE))
    shown = np.stack([guide.shown(frame, flow, at) for frame, flow in others])
    median, structure = _median(shown[:, :3]), np.nan_to_num(_median(shown[:, 3]))
    variance = sum(noise.variance(np.nan_to_num(m), c) * _OF_MEANS[c] for c, m in enumerate(median))
    differing = np.zeros(found.shape, bool)
    least = 2 * _NOISE * variance + _STRUCTURE * structure
    differing[tuple(at.T)] = np.any([np.nan_to_num((shown[i, :3] - median) ** 2).sum(axis=0) > least for i in near], axis=0)
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    around = cv2.dilate(labels.astype(np.float32), np.ones((2 * _BESIDE + 1, 2 * _BESIDE + 1), np.uint8)).astype(np.int64)
    area, still = np.bincount(labels[found], minlength=count), np.bincount(around[differing], minlength=count)
    chosen = still <= _STILL_THERE * area
    chosen[0] = False
    return np.asarray(chosen[labels])


def _filled(reference: Frame, others: Views, region: Mask) -> Frame:
    """The reference with the median of what the others show, sample by sample, in the region."""
    mosaic, levels = reference.mosaic.copy(), reference.info.levels
    cells = np.argwhere(region)
    for part in np.array_split(cells, -(-len(cells) // _POINTS)):
        for i, j in np.ndindex(2, 2):
            y, x = 2 * part[:, 0] + i, 2 * part[:, 1] + j
            median = _median(np.stack([_sampled(frame, flow, y, x) for frame, flow in others]))
            level = np.rint(median * (levels.white - levels.black[i, j]) + levels.black[i, j])
            mosaic[y, x] = np.where(np.isfinite(median), np.clip(np.nan_to_num(level), 0, 65535), mosaic[y, x])
    return reference.with_mosaic(mosaic)


def _others(frames: Sequence[Frame], index: int, flows: Sequence[Flow], disturbed: NDArray[np.int64]) -> Views:
    return [(frame, bridged(flow, disturbed)) for i, (frame, flow) in enumerate(zip(frames, flows, strict=True)) if i != index]


def _median(values: Floats) -> Floats:
    """Median over the first axis, of what is not NaN."""
    ordered = np.sort(values, axis=0)  # NaN: last
    count = np.isfinite(values).sum(axis=0)
    low, high = (np.take_along_axis(ordered, np.maximum(k, 0)[None], 0)[0] for k in ((count - 1) // 2, count // 2))
    return np.asarray(np.where(count > 0, 0.5 * (low + np.where(count > 0, high, 0)), np.nan), np.float32)


def bridged(flow: Flow, cells: NDArray[np.int64]) -> Flow:
    """The flow with that of tiles that the quads (n, 2) cover told from the tiles around: an affine motion, and what is left of it, smoothed."""
    tiles = flow.tiles.astype(np.float64)
    half = flow.tile_px // 2
    y, x = (np.minimum(cells[:, k] // half, tiles.shape[k] - 1) for k in (0, 1))
    inside = np.bincount(y * tiles.shape[1] + x, minlength=tiles.shape[0] * tiles.shape[1]).reshape(tiles.shape[:2])
    touched = inside > _DISTURBED * half * half
    if not 0 < np.count_nonzero(touched) <= _MOST_TILES * touched.size:
        return flow
    y, x = np.mgrid[: touched.shape[0], : touched.shape[1]].astype(np.float64)
    basis = np.stack([np.ones_like(y), y, x], -1)
    affine = basis @ np.linalg.lstsq(basis[~touched], tiles[~touched], rcond=None)[0]
    known = (~touched).astype(np.float64)
    left = np.where(touched[..., None], 0, tiles - affine)
    weight = cv2.GaussianBlur(known, (0, 0), _REACH, borderType=cv2.BORDER_CONSTANT)
    near = np.stack([cv2.GaussianBlur(np.ascontiguousarray(left[..., k]), (0, 0), _REACH, borderType=cv2.BORDER_CONSTANT) for k in (0, 1)], -1)
    smooth = affine + near / np.maximum(weight, 1e-3)[..., None]
    return Flow(np.where(touched[..., None], smooth, tiles).astype(np.float32), flow.tile_px, flow.error_px)


def _sampled(frame: Frame, flow: Flow, y: NDArray[np.int64], x: NDArray[np.int64]) -> Floats:
    """Samples (n,) that a frame shows at raw positions (y, x) of one CFA site, bilinear between those of the site; NaN where it shows none."""
    i, j = int(y[0]) % 2, int(x[0]) % 2
    plane, black, scale = frame.mosaic[i::2, j::2], frame.info.levels.black[i, j], frame.info.levels.scale()[i, j]
    motion = flow.at(y, x)
    at = [(p + motion[:, k] - o) / 2 for k, (p, o) in enumerate(((y, i), (x, j)))]
    inside = np.ones(len(y), bool)
    first, share = [], []
    for v, length in zip(at, plane.shape, strict=True):
        inside &= (v >= -0.5) & (v <= length - 0.5)
        v = np.clip(v, 0, length - 1)
        first.append(np.minimum(v.astype(np.int64), max(length - 2, 0)))
        share.append(v - first[-1])
    (a, b), (v, u) = first, share
    a1, b1 = np.minimum(a + 1, plane.shape[0] - 1), np.minimum(b + 1, plane.shape[1] - 1)
    value = (1 - v) * ((1 - u) * plane[a, b] + u * plane[a, b1]) + v * ((1 - u) * plane[a1, b] + u * plane[a1, b1])
    return np.where(inside, (value - black) * scale, np.nan).astype(np.float32)


def _dilated(mask: Mask, reach: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0)
