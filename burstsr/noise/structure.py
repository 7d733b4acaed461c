"""Separation of the structure common to the frames from noise, block by block.

The closer the sampling grids of two frames coincide, the more similar is the structure of a block in both (the nugget of a variogram: Matheron 1963).
Combinations of frames with zero mean that suppress similar content show noise; the mean shows where structure is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_LIKENESS = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / 6.0  # autocorrelation of second differences of white noise along an axis, at lags of -2 to 2 samples
_REACHES_PX = (0.3, 0.45, 0.6, 0.8, 1.1, 1.5, 2.0)  # correlation length of structure, raw pixels
_STEPS_PER_PX = 50
_MOST_STEPS = 6 * _STEPS_PER_PX - 1
_BLOCKS_ASKED = 300  # blocks per site for the correlation length
_STRUCTURE = 60.0  # ratio of structure to noise for which the combination of frames is optimal


@dataclass(frozen=True)
class Blocks:
    """Blocks of one CFA site followed through the frames.

    index: (n,) indices of the reference's blocks, the same for all sites. level: (frames, n) mean. residual: (frames, n, samples) second
    differences. offset: (frames, n, 2) distance of each frame's block from its exact position, raw pixels.
    """

    index: NDArray[np.int64]
    level: Doubles
    residual: Floats
    offset: Doubles


@dataclass(frozen=True)
class Split:
    """Blocks of one CFA site.

    level, variance, freedom: (n,) mean level; noise variance including remaining structure; its degrees of freedom. rank: (n,) small where the mean of
    the frames and the other sites, whose noise is independent, show little structure. structure: (n,) estimated variance of the structure that the frames
    share; without bias, and negative by chance.
    """

    level: Doubles
    variance: Doubles
    freedom: Doubles
    rank: Doubles
    structure: Doubles

    def __getitem__(self, chosen: NDArray[np.int64]) -> Split:
        return Split(*(getattr(self, field.name)[chosen] for field in fields(self)))


def split(sites: Sequence[Blocks], reach: float) -> list[Split]:
    """Split the blocks of the four sites of one window into noise and structure, each ranked by the other three."""
    count = max((int(blocks.index.max(initial=-1)) + 1 for blocks in sites), default=0)
    shared, rest, freedoms = np.full((len(sites), count), np.nan), np.full((len(sites), count), np.nan), []
    for k, blocks in enumerate(sites):
        shared[k, blocks.index], rest[k, blocks.index], freedom = _parts(blocks, reach)
        freedoms.append(freedom)
    found = []
    for k, blocks in enumerate(sites):
        others = np.delete(rest, k, axis=0)[:, blocks.index]
        seen = np.maximum(np.isfinite(others).sum(axis=0), 1)
        rank = np.nanmean(shared[:, blocks.index], axis=0) + np.nansum(others, axis=0) / seen / len(blocks.level) if blocks.index.size else np.zeros(0)
        structure = shared[k, blocks.index] - rest[k, blocks.index] / len(blocks.level)
        found.append(Split(blocks.level.mean(axis=0), rest[k, blocks.index], freedoms[k], rank, structure))
    return found


def unsplit(sites: Sequence[Blocks]) -> list[Split]:
    """Return the blocks of the four sites of one window of a single frame, structure included, each ranked by the other three sites."""
    count = max((int(blocks.index.max(initial=-1)) + 1 for blocks in sites), default=0)
    variance = np.full((len(sites), count), np.nan)
    for k, blocks in enumerate(sites):
        variance[k, blocks.index] = (blocks.residual[0].astype(np.float64) ** 2).mean(axis=1)
    found = []
    for k, blocks in enumerate(sites):
        others = np.delete(variance, k, axis=0)[:, blocks.index]
        rank = np.nansum(others, axis=0) / np.maximum(np.isfinite(others).sum(axis=0), 1)
        flat = np.zeros(blocks.index.size)
        found.append(Split(blocks.level[0], variance[k, blocks.index], flat + _freedom_of_samples(), rank, flat))
    return found


def reach_of(seen: Sequence[Blocks]) -> float:
    """Estimate the correlation length of structure, raw pixels, that best explains the products of frames."""
    gained = np.zeros(len(_REACHES_PX))
    for blocks in seen:
        frames, count = blocks.level.shape
        i, j = np.triu_indices(frames, 1)
        some = np.linspace(0, count - 1, min(count, _BLOCKS_ASKED)).astype(int)
        if not some.size or not i.size:
            continue
        products = _products(blocks.residual[:, some])
        steps = _apart(blocks.offset[:, some])[:, :, i, j]
        values = products[:, i, j] / np.maximum(np.einsum("nff->n", products) / frames, 1e-20)[:, None]
        for k, reach in enumerate(_REACHES_PX):
            like = _likeness(steps, reach)
            gained[k] += max(float((values * like).sum()), 0.0) ** 2 / max(float((like**2).sum()), 1e-9)
    return float(_REACHES_PX[int(np.argmax(gained))])


def _parts(blocks: Blocks, reach: float) -> tuple[Doubles, Doubles, Doubles]:
    """Return the mean square (n,) of the frames' mean and, independent of it, of their differences (n,), with its degrees of freedom (n,)."""
    frames = len(blocks.level)
    products = _products(blocks.residual)
    without_mean = np.eye(frames) - 1.0 / frames
    like = _likeness(_apart(blocks.offset), reach)
    blind = np.linalg.inv(np.eye(frames) + _STRUCTURE * like)
    weight = without_mean @ blind @ blind @ without_mean
    total = np.maximum(np.einsum("nff->n", weight), 1e-12)
    freedom = _freedom_of_samples() * total**2 / np.maximum(np.einsum("nfg,nfg->n", weight, weight), 1e-24)
    return products.mean(axis=(1, 2)), np.einsum("nfg,nfg->n", weight, products) / total, freedom


def _products(residual: Floats) -> Doubles:
    """Return (n, frames, frames) mean products of the blocks' residuals in any two frames."""
    r = residual.transpose(1, 0, 2)
    return np.asarray(np.matmul(r, r.transpose(0, 2, 1)) / r.shape[2], np.float64)


def _apart(offset: Doubles) -> NDArray[np.int64]:
    """Return (2, n, frames, frames) distances of the sampling grids of any two frames, in steps."""
    at = offset.transpose(2, 1, 0)
    return np.asarray(np.minimum(np.rint(np.abs(at[..., :, None] - at[..., None, :]) * _STEPS_PER_PX).astype(np.int64), _MOST_STEPS))


@cache
def _likeness_along(reach: float) -> Doubles:
    """Return the correlation of second differences of structure along an axis, by distance of the grids: from 0 px in steps of 1 / _STEPS_PER_PX."""
    d = np.arange(_MOST_STEPS + 1) / _STEPS_PER_PX
    lags = 2 * np.arange(-2, 3)[:, None]
    alike = _LIKENESS @ np.exp(-((d + lags) ** 2) / (2 * reach**2))
    return np.asarray(alike / alike[0])


def _likeness(steps: NDArray[np.int64], reach: float) -> Doubles:
    """Return that correlation for two frames whose grids are `steps` (2, ...) apart."""
    along = _likeness_along(reach)
    return np.asarray(along[steps[0]] * along[steps[1]])


@cache
def _freedom_of_samples(side: int = 4) -> float:
    """Return the degrees of freedom of the mean square of side x side second differences of white noise, which overlap."""
    lag = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    along = np.where(lag <= 2, _LIKENESS[2 + np.minimum(lag, 2)], 0.0)
    return float(side**4 / (along**2).sum() ** 2)
