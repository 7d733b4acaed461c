"""Noise of a burst from the burst itself: structure is the same in all frames, noise is not.

In each frame a second difference along both axes takes away what is smooth. Blocks of the scene are followed through the frames, and those that are calm in
one half of the frames are measured in the other: chosen and measured by different noise, the calmest are not too calm. What structure is left there is
told from noise by its likeness between frames, which grows as their sampling grids come to lie upon each other (the nugget of a variogram: Matheron 1963).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import Burst, Frame
from burstsr.ground.coords import tile_centre
from burstsr.ground.errors import BurstError
from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.ground.sensor import samples
from burstsr.noise.fit import NoiseFit, Points, fit

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
FlowsOf = Callable[[Frame, Noise], Callable[[Frame], Flow]]  # a reference and what noise it has, to what finds flows against it
FEWEST_FRAMES = 3
_BLOCK = 4
_WINDOW = 512  # raw pixels along the parts of a large frame that are looked at
_BINS = 24
_FEWEST_BLOCKS = 12  # in a bin
_CALM = (0.0, 0.04, 0.1, 0.2, 0.35, 0.55, 0.8)  # shares of a bin's blocks, from the calmest on, that are measured together
_CLIPPED_HIGH, _CLIPPED_LOW = 0.05, 0.4  # share of a block's samples that may end at the sensor's limits
_LAPLACIAN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)  # applied along both axes: noise gain 1, blind to planes (Immerkaer 1996, eq. 2)
_LIKENESS = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / 6.0  # of its results for white noise, along an axis, over lags of -2 to 2 samples
_SHARED = float((_LIKENESS**2).sum() ** 2)  # samples that share what one says
_REACHES_PX = (0.3, 0.45, 0.6, 0.8, 1.1, 1.5, 2.0)  # of structure's likeness, raw pixels
_STEPS_PER_PX = 50
_EVERY_GROUP = 5  # is asked for it
_RESIDUE = 0.15  # relative error of what structure is taken off


def measure(burst: Burst, rough: Noise, flows_of: FlowsOf, most_windows: int = 4) -> NoiseFit:
    """Noise model of a burst of at least three frames, with standard errors, from up to `most_windows` parts of 512 x 512 raw pixels.

    rough: a first guess, for alignment. flows_of: the aligner. Raises BurstError for fewer frames.
    """
    if len(burst) < FEWEST_FRAMES:
        raise BurstError(f"burst {burst.name!r} has {len(burst)} frames: at least {FEWEST_FRAMES} are needed to tell noise from structure")
    seen: list[list[_Blocks]] = [[], [], []]
    for window in windows(burst.info.shape, most_windows):
        frames = [cut(frame, window) for frame in burst]
        index = len(frames) // 2
        flow_of = flows_of(frames[index], rough)
        flows = [None if i == index else flow_of(frame) for i, frame in enumerate(frames)]
        for site in np.ndindex(2, 2):
            seen[int(burst.info.cfa[site])].append(_blocks(frames, flows, site))
    reach = _reach([b for channel in seen for b in channel])
    levels = burst.info.levels
    points = [_points(channel, reach) for channel in seen]
    return fit((points[0], points[1], points[2]), float(-(levels.black * levels.scale()).max()))


def windows(shape: tuple[int, int], most: int) -> list[tuple[slice, slice]]:
    """The whole frame where it is small; else up to `most` squares spread over it."""
    rows, columns = (max(1, length // _WINDOW) for length in shape)
    if rows * columns <= most:
        edges = [np.linspace(0, length, n + 1).astype(int) // 2 * 2 for length, n in zip(shape, (rows, columns), strict=True)]
        return [(slice(a, b), slice(c, d)) for a, b in zip(edges[0], edges[0][1:], strict=False) for c, d in zip(edges[1], edges[1][1:], strict=False)]
    across = min(columns, 2, most)
    down = min(rows, most // across)
    tops, lefts = (np.linspace(0, length - _WINDOW, n).astype(int) // 2 * 2 for length, n in zip(shape, (down, across), strict=True))
    return [(slice(t, t + _WINDOW), slice(c, c + _WINDOW)) for t in tops for c in lefts]


def cut(frame: Frame, window: tuple[slice, slice]) -> Frame:
    """The part of a frame in `window` (rows, columns), which begins at an even row and column."""
    mosaic = np.ascontiguousarray(frame.mosaic[window])
    return Frame(replace(frame.info, shape=(mosaic.shape[0], mosaic.shape[1])), mosaic)


class _Blocks:
    """Blocks of one CFA site followed through the frames.

    level: (frames, n) mean. residual: (frames, n, samples). offset: (frames, n, 2) how far each frame's block lies from where it should, raw pixels.
    """

    def __init__(self, level: Doubles, residual: Floats, offset: Doubles) -> None:
        self.level, self.residual, self.offset = level, residual, offset
        self.energy = np.einsum("fns,fns->fn", residual, residual, dtype=np.float64) / residual.shape[2]


def _blocks(frames: Sequence[Frame], flows: Sequence[Flow | None], site: tuple[int, ...]) -> _Blocks:
    height, width = (length // 2 for length in frames[0].info.shape)
    top, left = (2 + _BLOCK * np.arange((length - 4) // _BLOCK) for length in (height, width))
    y0, x0 = (v.ravel() for v in np.meshgrid(top, left, indexing="ij"))
    inner = np.arange(_BLOCK)
    levels, residuals, offsets, inside, clipped = [], [], [], np.ones(len(y0), bool), np.zeros((2, len(y0)))
    for frame, flow in zip(frames, flows, strict=True):
        plane = np.ascontiguousarray(samples(frame.mosaic, frame.info.levels)[site[0] :: 2, site[1] :: 2])
        residual = cv2.sepFilter2D(plane, cv2.CV_32F, _LAPLACIAN, _LAPLACIAN)
        motion = np.zeros((len(y0), 2)) if flow is None else flow.at(*(tile_centre(v / _BLOCK, 2 * _BLOCK) + s for v, s in zip((y0, x0), site, strict=True)))
        whole = np.rint(motion / 2).astype(int)
        inside &= _inside(y0 + whole[:, 0], height) & _inside(x0 + whole[:, 1], width)
        rows = np.clip(y0 + whole[:, 0], 1, height - _BLOCK - 1)[:, None, None] + inner[:, None]
        columns = np.clip(x0 + whole[:, 1], 1, width - _BLOCK - 1)[:, None, None] + inner
        values = plane[rows, columns]
        black = frame.info.levels.black[site]
        clipped += ((values >= 0.999).mean((1, 2)), (values <= (0.5 - black) * frame.info.levels.scale()[site]).mean((1, 2)))
        levels.append(values.mean((1, 2), dtype=np.float64))
        residuals.append(residual[rows, columns].reshape(len(y0), -1))
        offsets.append(motion - 2 * whole)
    clipped /= len(frames)
    use = inside & (clipped[0] <= _CLIPPED_HIGH) & (clipped[1] <= _CLIPPED_LOW)
    return _Blocks(np.stack(levels)[:, use], np.stack(residuals)[:, use], np.stack(offsets)[:, use])


def _inside(first: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    return (first >= 1) & (first + _BLOCK < length)


def _groups(blocks: _Blocks) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Frames and blocks to measure together: alike in level and calmness, as the other half of the frames judges both."""
    frames, count = blocks.level.shape
    every, found = np.arange(frames), []
    for half in (0, 1):
        judges, measured = every[every % 2 == half], every[every % 2 != half]
        level, energy = blocks.level[judges].mean(axis=0), blocks.energy[judges].mean(axis=0)
        bins = int(np.clip(count // (2 * _FEWEST_BLOCKS), 1, _BINS))
        for part in np.array_split(np.argsort(level, kind="stable"), bins):
            order = part[np.argsort(energy[part], kind="stable")]
            edges = [int(share * part.size) for share in _CALM]
            found += [(measured, order[a:b]) for a, b in zip(edges, edges[1:], strict=False) if b - a >= 2]
    return found


@cache
def _likeness_along(reach: float) -> Doubles:
    """How alike second differences of structure are along an axis, by distance of the grids: from 0 px in steps of 1 / _STEPS_PER_PX; 1 at none."""
    d = np.arange(6 * _STEPS_PER_PX) / _STEPS_PER_PX
    lags = 2 * np.arange(-2, 3)[:, None]
    alike = _LIKENESS @ np.exp(-((d + lags) ** 2) / (2 * reach**2))
    return np.asarray(alike / alike[0])


def _likeness(offset: NDArray[np.int64], reach: float) -> Doubles:
    """The same in two frames whose grids lie `offset` (2, ...) steps apart."""
    along = _likeness_along(reach)
    return np.asarray(along[offset[0]] * along[offset[1]])


def _pairs(blocks: _Blocks, frames: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple[Doubles, NDArray[np.int64]]:
    """Mean products (n, pairs) of the blocks' residuals in any two of the frames, and (2, n, pairs) how far apart their grids lie, in steps."""
    i, j = np.triu_indices(len(frames), 1)
    r = blocks.residual[np.ix_(frames, chosen)].transpose(1, 0, 2)
    products = np.matmul(r, r.transpose(0, 2, 1))[:, i, j] / r.shape[2]
    at = blocks.offset[np.ix_(frames, chosen)].T  # (2, n, frames)
    apart = np.rint(np.abs(at[:, :, i] - at[:, :, j]) * _STEPS_PER_PX).astype(np.int64)
    return products.astype(np.float64), np.minimum(apart, 6 * _STEPS_PER_PX - 1)


def _reach(seen: Sequence[_Blocks]) -> float:
    """How far structure's likeness reaches, raw pixels: what explains the products best."""
    gained = np.zeros(len(_REACHES_PX))
    for blocks in seen:
        for frames, chosen in _groups(blocks)[::_EVERY_GROUP]:
            if len(frames) < 2:
                continue
            products, offsets = _pairs(blocks, frames, chosen)
            variance = max(float(blocks.energy[np.ix_(frames, chosen)].mean()), 1e-20)
            for k, reach in enumerate(_REACHES_PX):
                like = _likeness(offsets, reach)
                gained[k] += max(float((products * like).sum()), 0.0) ** 2 / max(float((like**2).sum()), 1e-9) / variance**2
    return float(_REACHES_PX[int(np.argmax(gained))])


def _points(seen: Sequence[_Blocks], reach: float) -> Points:
    """Level and noise variance per site and bin of one channel."""
    found = []
    for blocks in seen:
        for frames, chosen in _groups(blocks):
            count = len(frames) * len(chosen) * blocks.residual.shape[2]
            variance = float(blocks.energy[np.ix_(frames, chosen)].mean())
            structure, chance = 0.0, 0.0
            if len(frames) > 1:
                products, offsets = _pairs(blocks, frames, chosen)
                like = _likeness(offsets, reach)
                worth = max(float((like**2).sum()), 1e-9)
                structure = min(float((products * like).sum()) / worth, 0.9 * variance)
                chance = np.sqrt(_SHARED / (worth * blocks.residual.shape[2]))
            certain = max(structure, 0.0)
            relative = np.hypot(np.sqrt(2 * _SHARED / count), chance)
            found.append((float(blocks.level[np.ix_(frames, chosen)].mean()), variance, relative, structure, np.hypot(_RESIDUE, chance) * certain))
    columns = np.array(found, np.float64).reshape(-1, 5).T
    return Points(*(np.ascontiguousarray(column) for column in columns))
