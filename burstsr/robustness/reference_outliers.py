"""Outliers in the reference: a satellite trail, a cosmic ray, a bird, where the other frames agree with each other but not with the reference.

There the reference is replaced by the median of the other frames, so that kernels, robustness and demosaicing are computed on the scene, and its own
samples get zero robustness. Slowly moving objects, which overlap themselves in several frames, are kept: too few frames agree with each other there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import CLIPPED
from burstsr.robustness.stage import RobustnessModel

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Views = Sequence[tuple[Frame, Flow]]
_FEWEST = 3  # other frames that must contradict the reference
_CLEAR, _MOST = 2 / 3, 0.5  # shares of the frames that cover a CFA cell: a clear majority, and half
_LARGEST = 0.4  # share of the frame beyond which the reference shows another scene or illumination
_OF_MEANS = np.array([1.0, 0.5, 1.0]) / 9  # noise variance of a mean over 3 x 3 cells relative to a sample's: R, G, B
_NOISE = 6.0  # least squared difference between the reference and the median of the others, in such variances,
_SPREAD = 6.0  # plus this many squared distances of the others from their median,
_STRUCTURE = 0.2  # plus this many local variances, which interpolation blurs
_SIGNIFICANT = 1.5  # factor of spread and structure for significant cells
_SIGNIFICANT_SHARE = 0.35  # of an outlier's cells that must be significant: less is aliasing
_UNCLEAR = 0.8  # contradicted but inconsistent cells next to an outlier, relative to its area: more is aliasing or a moving object
_FEWEST_QUADS = 4  # of an outlier: a single defective sample affects nine 3 x 3 means
_WITH_REFERENCE = 0.3  # a frame shows an outlier if its projection exceeds this: 0 = equal to the median, 1 = equal to the reference
_MAY_SHOW = 0.125  # share of the frames that may show it: where more do, it moves slowly and hides the background
_GROWN = 3  # cells by which the repaired region extends beyond an outlier: blurred edges
_DISTURBED = 0.35  # share of a tile that an outlier must cover to invalidate its motion
_MOST_TILES = 0.8  # largest share of a frame's tiles whose motion is interpolated
_BESIDE = 3  # cells around an outlier in which the previous and the next frame are examined
_STILL_THERE = 0.3  # area where they differ from the median, relative to the outlier's, above which it is a moving object
_FILL_SIGMA = 3.0  # sigma of the Gaussian that interpolates flow, tiles
_POINTS = 50_000  # cells processed at once


@dataclass(frozen=True)
class RepairedReference:
    """The reference with outliers repaired from the other frames.

    frame: the repaired reference. robustness: (H/2, W/2) of its own samples, 0 at outliers, else 1. flows: of all frames; tiles that outliers disturbed
    are interpolated from their neighbours.
    """

    frame: Frame
    robustness: Floats
    flows: list[Flow]


def repair_reference(frames: Sequence[Frame], index: int, flows: Sequence[Flow], guide: RobustnessModel, noise: Noise) -> RepairedReference | None:
    """Return frames[index] with its outliers repaired; None if there are none.

    flows: of all frames against it. guide: its model, with the votes of all other frames.
    """
    clear = (guide.contradicting >= _FEWEST) & (guide.contradicting >= _CLEAR * guide.covering)
    if not _FEWEST_QUADS <= np.count_nonzero(clear) <= _LARGEST * clear.size:
        return None
    found = _find_outliers(guide, _other_frames(frames, index, flows, np.argwhere(clear)), clear, noise)
    if found.any():
        found = _transient(found, guide, _other_frames(frames, index, flows, np.argwhere(found)), index, noise)
    if not found.any():
        return None
    region, disturbed = _dilate(found, _GROWN), np.argwhere(found)
    frame = _fill(frames[index], _other_frames(frames, index, flows, disturbed), region)
    flows = [flow if i == index else inpaint_flow(flow, disturbed) for i, flow in enumerate(flows)]
    return RepairedReference(frame, np.where(region, np.float32(0), np.float32(1)), flows)


def _find_outliers(guide: RobustnessModel, others: Views, clear: Mask, noise: Noise) -> Mask:
    """Return the CFA cells where the reference differs from the median of the others significantly more than they differ from each other."""
    at = np.argwhere(clear)
    shown = np.stack([guide.shown(frame, flow, at) for frame, flow in others])
    values, structure = shown[:, :3], np.nan_to_num(_median(shown[:, 3]))
    median, may_show = _median(values), int(_MAY_SHOW * len(others))
    gain = noise.gain.cells((2 * clear.shape[0], 2 * clear.shape[1]))[:, at[:, 0], at[:, 1]] if noise.gain else np.ones((3, 1))
    variance = np.stack([noise.variance(np.nan_to_num(m), c, gain[c]) for c, m in enumerate(median)]) * _OF_MEANS[:, None]
    difference = np.nan_to_num(guide.mean[:, at[:, 0], at[:, 1]] - median)
    spread = np.sort(np.nan_to_num((values - median) ** 2).sum(axis=1), axis=0)[-1 - may_show]
    excess = (difference**2).sum(axis=0) - _NOISE * variance.sum(axis=0)
    least = _SPREAD * spread + _STRUCTURE * structure
    found, significant = np.zeros((2, *clear.shape), bool)
    found[tuple(at.T)], significant[tuple(at.T)] = excess > least, excess > _SIGNIFICANT * least
    found = clear & (cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0)

    most = (guide.contradicting >= 2) & (guide.contradicting >= _MOST * guide.covering)
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    neighbourhood = cv2.dilate(labels.astype(np.float32), np.ones((2 * _GROWN + 1, 2 * _GROWN + 1), np.uint8)).astype(np.int64)
    area, significant_area, unclear = (np.bincount(v, minlength=count) for v in (labels[found], labels[significant], neighbourhood[most & ~found]))
    label = labels[tuple(at.T)]
    full = np.bincount(label, (difference**2 / variance).sum(axis=0), count)
    shares = [np.bincount(label, (np.nan_to_num(v - median) * difference / variance).sum(axis=0), count) for v in values]
    visible_in = np.sum([share > _WITH_REFERENCE * full for share in shares], axis=0)
    chosen = (area >= _FEWEST_QUADS) & (significant_area >= _SIGNIFICANT_SHARE * area) & (unclear <= _UNCLEAR * area) & (visible_in <= may_show)
    chosen[0] = False
    return np.asarray(chosen[labels])


def _transient(found: Mask, guide: RobustnessModel, others: Views, index: int, noise: Noise) -> Mask:
    """Return the outliers that are transient: those also present, in part, in the previous or the next frame are excluded.

    The latter move by less than their own size between frames: moving objects that belong to the scene of the reference.
    """
    near = [i for i in (index - 1, index) if 0 <= i < len(others)]
    at = np.argwhere(_dilate(found, _BESIDE))
    shown = np.stack([guide.shown(frame, flow, at) for frame, flow in others])
    median, structure = _median(shown[:, :3]), np.nan_to_num(_median(shown[:, 3]))
    variance = sum(noise.variance(np.nan_to_num(m), c) * _OF_MEANS[c] for c, m in enumerate(median))
    differing = np.zeros(found.shape, bool)
    least = 2 * _NOISE * variance + _STRUCTURE * structure
    differing[tuple(at.T)] = np.any([np.nan_to_num((shown[i, :3] - median) ** 2).sum(axis=0) > least for i in near], axis=0)
    count, labels = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    neighbourhood = cv2.dilate(labels.astype(np.float32), np.ones((2 * _BESIDE + 1, 2 * _BESIDE + 1), np.uint8)).astype(np.int64)
    area, remaining = np.bincount(labels[found], minlength=count), np.bincount(neighbourhood[differing], minlength=count)
    chosen = remaining <= _STILL_THERE * area
    chosen[0] = False
    return np.asarray(chosen[labels])


def _fill(reference: Frame, others: Views, region: Mask) -> Frame:
    """Return the reference with the region replaced, sample by sample, by the median of the other frames."""
    mosaic, levels = reference.mosaic.copy(), reference.info.levels
    cells = np.argwhere(region)
    for part in np.array_split(cells, -(-len(cells) // _POINTS)):
        for y, x in _positions(part, reference.info.cfa.period):
            median = _median(np.stack([_sample(frame, flow, y, x) for frame, flow in others]))
            black = levels.black[y[0] % 2, x[0] % 2]
            level = np.rint(median / levels.saturation * (levels.white - black) + black)
            mosaic[y, x] = np.where(np.isfinite(median), np.clip(np.nan_to_num(level), 0, 65535), mosaic[y, x])
    return reference.with_mosaic(mosaic)


def _positions(cells: NDArray[np.int64], period: tuple[int, int]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the raw positions (y, x) of the samples in CFA cells (n, 2), those of one site of the pattern at a time."""
    for i, j in np.ndindex(2, 2):
        y, x = 2 * cells[:, 0] + i, 2 * cells[:, 1] + j
        site = y % period[0] * period[1] + x % period[1]
        for one in np.unique(site):
            yield y[site == one], x[site == one]


def _other_frames(frames: Sequence[Frame], index: int, flows: Sequence[Flow], disturbed: NDArray[np.int64]) -> Views:
    return [(frame, inpaint_flow(flow, disturbed)) for i, (frame, flow) in enumerate(zip(frames, flows, strict=True)) if i != index]


def _median(values: Floats) -> Floats:
    """Return the median of finite values over the first axis; NaN if there are none."""
    ordered = np.sort(values, axis=0)  # NaN sorts last
    count = np.isfinite(values).sum(axis=0)
    low, high = (np.take_along_axis(ordered, np.maximum(k, 0)[None], 0)[0] for k in ((count - 1) // 2, count // 2))
    return np.asarray(np.where(count > 0, 0.5 * (low + np.where(count > 0, high, 0)), np.nan), np.float32)


def inpaint_flow(flow: Flow, cells: NDArray[np.int64]) -> Flow:
    """Interpolate the flow of tiles covered by the CFA cells (n, 2) from the surrounding tiles: affine motion plus smoothed residual."""
    tiles = flow.tiles.astype(np.float64)
    half = flow.tile_px // 2
    y, x = (np.minimum(cells[:, k] // half, tiles.shape[k] - 1) for k in (0, 1))
    inside = np.bincount(y * tiles.shape[1] + x, minlength=tiles.shape[0] * tiles.shape[1]).reshape(tiles.shape[:2])
    disturbed = inside > _DISTURBED * half * half
    if not 0 < np.count_nonzero(disturbed) <= _MOST_TILES * disturbed.size:
        return flow
    y, x = np.mgrid[: disturbed.shape[0], : disturbed.shape[1]].astype(np.float64)
    basis = np.stack([np.ones_like(y), y, x], -1)
    affine = basis @ np.linalg.lstsq(basis[~disturbed], tiles[~disturbed], rcond=None)[0]
    known = (~disturbed).astype(np.float64)
    residual = np.where(disturbed[..., None], 0, tiles - affine)
    weight = cv2.GaussianBlur(known, (0, 0), _FILL_SIGMA, borderType=cv2.BORDER_CONSTANT)
    near = np.stack([cv2.GaussianBlur(np.ascontiguousarray(residual[..., k]), (0, 0), _FILL_SIGMA, borderType=cv2.BORDER_CONSTANT) for k in (0, 1)], -1)
    smooth = affine + near / np.maximum(weight, 1e-3)[..., None]
    return Flow(np.where(disturbed[..., None], smooth, tiles).astype(np.float32), flow.tile_px, flow.error_px)


def _sample(frame: Frame, flow: Flow, y: NDArray[np.int64], x: NDArray[np.int64]) -> Floats:
    """Return samples (n,) of a frame at the reference's raw positions (y, x) of one CFA site, bilinear between samples of that site; NaN outside."""
    period = tuple(max(n, 2) for n in frame.info.cfa.period)  # levels repeat after two
    i, j = int(y[0]) % period[0], int(x[0]) % period[1]
    plane, black, scale = frame.mosaic[i :: period[0], j :: period[1]], frame.info.levels.black[i % 2, j % 2], frame.info.levels.scale()[i % 2, j % 2]
    motion = flow.at(y, x)
    at = [(p + motion[:, k] - o) / period[k] for k, (p, o) in enumerate(((y, i), (x, j)))]
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
    value = (value - black) * scale
    if frame.info.levels.saturation < 1:  # clipped samples of a bracket's longer exposures show nothing
        inside &= value < CLIPPED * frame.info.levels.saturation
    return np.where(inside, value, np.nan).astype(np.float32)


def _dilate(mask: Mask, reach: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0)
