"""Noise variance as the floor of the variances of many blocks: at a given level noise has the same variance in all blocks, and structure only adds to it.

The variance of a block without structure is the noise variance times a chi-squared variable; other blocks have an additional, unknown part, log-normal
over blocks (as texture in photographs is). The likelihood of the noise variance is marginalised over the share of such blocks and their structure. Where
all blocks of a group have structure, its floor is above the noise: a group gives a reliable upper bound only. What remains of structure is a share of what
the frames have in common: that share is measured, from groups of equal level and different structure (`_share`), and taken off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from burstsr.core.parallel import in_parallel
from burstsr.noise.structure import Split

Doubles = NDArray[np.float64]
STEP = 0.03  # grid step of the logarithm of the noise variance
_COARSE = 5  # grid steps between computed values: the log-likelihood is smooth in between
_GRID = _COARSE * STEP
_BINS, _BIN_BLOCKS = 16, 90  # level bins: maximum number, and minimum number of blocks in each
_CALM = (0.0, 0.2, 0.5)  # quantiles of a bin's blocks, ordered by structure, that form the groups
_FEWEST = 8  # blocks in a group
_LOW = 0.98  # bias for white noise only, by simulation: upward scatter is taken for texture
_STRUCTURES = np.arange(-0.5, 5.1, 0.75)  # logarithm of the median ratio of structure to noise
_SPREAD = 1.0  # standard deviation of that logarithm over blocks
_FLAT = (0.02, 0.4, 0.85, 0.98)  # share of blocks without structure
_TOP = 6.0  # logarithm of the largest ratio of variance to noise variance considered
_OUTLIERS, _OUTLIER_DENSITY = 0.01, 0.1
_TEXTURED, _TEXTURE_ABOVE = 0.7, 1.5  # probability of a group without a flat block, and the mean logarithm of its floor relative to the noise variance
_UNSURE = 0.05  # systematic relative error of a group's variance: flicker, pixel non-uniformity
_CALMER, _MOST_STRUCTURE = 0.25, 5.0  # quantile of the blocks' structure, and, in noise variances, where it counts half: there calm blocks make the floor
_USUAL_SHARE = 0.3  # of structure that remains: standard deviation of the prior about 0, where groups hardly differ
_SHARE_ROUNDS, _SHARE_OUTLIER = 8, 3.0  # of the robust fit, and standard errors beyond which a pair of groups counts less
_USUAL_READ_E = 5.0  # electrons
_BELOW, _ABOVE = 6.0, 1.2  # extent of the grid beyond the blocks' variances
_STEEP = 30.0  # decrease of the log-likelihood beyond it


@dataclass(frozen=True)
class Floors:
    """Groups of blocks of one level, by channel.

    level, ceiling, spread: per channel (groups,): mean level; the floor of the group, an upper bound of the noise variance; its relative error.
    likelihood: per channel (groups, steps): log-likelihood of the variance exp(start + STEP i) of noise and remaining structure. low: lower clipping level
    of the sensor. structure: per channel (groups,): structure that the frames share (`_structure`). share: of it that remains.
    """

    level: tuple[Doubles, ...]
    ceiling: tuple[Doubles, ...]
    spread: tuple[Doubles, ...]
    likelihood: tuple[Doubles, ...]
    start: float
    low: float
    structure: tuple[Doubles, ...]
    share: float

    @property
    def known(self) -> bool:
        """Whether there are any groups."""
        return any(level.size for level in self.level)

    def of(self, channel: int, variance: Doubles) -> float:
        """Return the log-likelihood of the noise variance `variance` (groups,)."""
        table, variance = self.likelihood[channel], variance + self.share * self.structure[channel]
        at = (np.log(np.maximum(variance, 1e-30)) - self.start) / STEP
        index = np.clip(at.astype(int), 0, table.shape[1] - 2)
        rest, groups = np.clip(at - index, 0.0, 1.0), np.arange(len(table))
        values = (1 - rest) * table[groups, index] + rest * table[groups, index + 1]
        beyond = np.maximum(at - (table.shape[1] - 1), 0.0) * STEP * _STEEP + np.maximum(-at, 0.0) * STEP / _TEXTURE_ABOVE
        return float((values - beyond).sum())


def floors(channels: Sequence[Sequence[Split]], low: float, most_blocks: int = 100) -> Floors:
    """Compute the floors of each channel from its blocks, of which up to `most_blocks` per group are used: more are slower and more precise."""
    grouped = [_groups(sites, most_blocks) for sites in channels]
    everything = np.concatenate([group.variance for groups in grouped for group in groups] or [np.ones(1)])
    start = _GRID * np.floor((np.log(everything.min()) - _BELOW) / _GRID)
    steps = _COARSE * int(np.ceil((np.log(everything.max()) + _ABOVE - start) / _GRID)) + 1
    level, ceiling, spread, likelihood = [], [], [], []
    computed = in_parallel(lambda group: _floor(group, start, steps), [group for groups in grouped for group in groups])
    for groups in grouped:
        found = [next(computed) for _ in groups]
        level.append(np.array([float(group.level.mean()) for group in groups]))
        ceiling.append(np.array([f[0] for f in found]))
        spread.append(np.array([f[1] for f in found]))
        likelihood.append(np.array([f[2] for f in found]).reshape(len(found), steps))
    structure = [_structure(groups, ceilings) for groups, ceilings in zip(grouped, ceiling, strict=True)]
    share = _share(ceiling, spread, structure, level)
    return Floors(tuple(level), tuple(ceiling), tuple(spread), tuple(likelihood), float(start), low, tuple(structure), share)


def _structure(groups: Sequence[Split], ceiling: Doubles) -> Doubles:
    """Return (groups,) the structure of the calmer blocks of each group, as far as floors rise with it."""
    found = np.array([max(float(np.quantile(group.structure, _CALMER)), 0.0) for group in groups])
    return np.asarray(found / (1 + found / (_MOST_STRUCTURE * ceiling)))


def pairs_of_one_bin(level: Doubles) -> NDArray[np.intp]:
    """Return the indices of groups whose next group has the same level: it is of the same bin, and less calm."""
    return np.flatnonzero(np.isclose(level[1:], level[:-1], rtol=1e-9, atol=0))


def _share(ceiling: Sequence[Doubles], spread: Sequence[Doubles], structure: Sequence[Doubles], level: Sequence[Doubles]) -> float:
    """Return the share of structure that remains in the floors: their rise from the calmest group of a level to the next, over that of structure.

    Robust least squares over all levels and channels, with a prior about 0.
    """
    rise, more = [], []
    for c, found in enumerate(ceiling):
        pair = pairs_of_one_bin(level[c])
        error = np.hypot(found[pair] * np.hypot(spread[c][pair], _UNSURE), found[pair + 1] * np.hypot(spread[c][pair + 1], _UNSURE))
        rise.append((found[pair + 1] - found[pair]) / error)
        more.append((structure[c][pair + 1] - structure[c][pair]) / error)
    y, x = np.concatenate(rise), np.concatenate(more)
    share = 0.0
    for _ in range(_SHARE_ROUNDS):
        weight = 1 / (1 + ((y - share * x) / _SHARE_OUTLIER) ** 2)
        share = float(weight @ (x * y)) / (float(weight @ (x * x)) + 1 / _USUAL_SHARE**2)
    return max(share, 0.0)


def _groups(sites: Sequence[Split], most_blocks: int) -> list[Split]:
    """Group blocks of similar level and rank; variances are those at the mean level of their bin."""
    blocks = Split(*(np.concatenate([getattr(site, f.name) for site in sites] or [np.zeros(0)]) for f in fields(Split)))
    blocks = replace(blocks, variance=blocks.variance / _LOW)[np.flatnonzero(blocks.variance > 0)]
    found: list[Split] = []
    if not blocks.level.size:  # frames without any noise
        return found
    for part in np.array_split(np.argsort(blocks.level, kind="stable"), int(np.clip(blocks.level.size // _BIN_BLOCKS, 1, _BINS))):
        middle = blocks.level[part].mean()
        blocks.variance[part] *= _usual(middle, blocks) / _usual(blocks.level[part], blocks)
        blocks.level[part] = middle
        order = part[np.argsort(blocks.rank[part], kind="stable")]
        edges = [round(share * order.size) for share in _CALM]
        for a, b in zip(edges, edges[1:], strict=False):
            if b - a >= _FEWEST:
                found.append(blocks[order[np.linspace(a, b - 1, min(b - a, most_blocks)).astype(int)]])
    return found


def _usual(level: NDArray[np.floating], blocks: Split) -> Doubles:
    """Return how noise usually depends on the level: alpha x + beta with read noise of 5 electrons, of the median variance at the median level."""
    middle, variance = max(float(np.median(blocks.level)), 0.0), float(np.median(blocks.variance))
    square = _USUAL_READ_E**2
    alpha = 2 * variance / (np.sqrt(middle**2 + 4 * square * variance) + middle)  # alpha middle + square alpha^2 = variance
    return np.asarray(np.maximum(alpha * np.maximum(level, 0.0) + square * alpha**2, 1e-40))


def _mixtures() -> Doubles:
    """Return (steps, hypotheses) probabilities of the log ratio of a block's variance to the noise variance, 0 to _TOP in steps."""
    edges = np.append(0.0, (np.arange(round(_TOP / _GRID)) + 0.5) * _GRID)
    ends = np.append(np.log(np.maximum(np.expm1(edges), 1e-300)), np.inf)
    rows = []
    for middle in _STRUCTURES:
        textured = np.diff(ndtr((ends - middle) / _SPREAD))
        for flat in _FLAT:
            row = (1 - flat) * textured
            row[0] += flat
            rows.append(row)
    return np.array(rows).T


_MIXTURES = _mixtures()


def _floor(group: Split, start: float, steps: int) -> tuple[float, float, Doubles]:
    """Return the floor of the group, its relative error, and the log-likelihood of the noise variance on the grid."""
    from scipy.interpolate import CubicSpline  # only where noise is measured: these take long to import
    from scipy.ndimage import gaussian_filter1d

    low, middle = (float(np.log(np.quantile(group.variance, q))) for q in (0.02, 0.5))
    first = int((low - 1.5 - start) / _GRID)
    last = min(int(np.ceil((max(middle, low + 0.5) + 1.2 - start) / _GRID)), (steps - 1) // _COARSE)
    at = start + STEP * np.arange(_COARSE * first, _COARSE * last + 1)
    likely = CubicSpline(at[::_COARSE], _likelihood(group, start + _GRID * np.arange(first, last + len(_MIXTURES))))(at)
    posterior = np.exp(likely - likely.max())
    posterior = gaussian_filter1d(posterior / (posterior.sum() * STEP), _UNSURE / STEP, mode="constant")
    middle = float((posterior * at).sum() * STEP)
    error = float(np.sqrt(max((posterior * (at - middle) ** 2).sum() * STEP, STEP**2 / 12)))
    full = np.zeros(steps)
    full[_COARSE * first : _COARSE * last + 1] = posterior
    decay = float(np.exp(-STEP / _TEXTURE_ABOVE))
    above = np.array(list(accumulate((full[::-1] * (STEP / _TEXTURE_ABOVE)).tolist(), lambda sums, x: x + decay * sums)))[::-1]
    result = np.log((1 - _TEXTURED) * full + _TEXTURED * above + 1e-10)
    result[_COARSE * last + 1 :] = result[_COARSE * last] - _STEEP * STEP * np.arange(1, steps - _COARSE * last)
    return float(np.exp(middle)), error, result


def _likelihood(group: Split, logs: NDArray[np.floating]) -> Doubles:
    """Return the log-likelihood of the group for noise variances exp(`logs`), without the last ones, which blocks with structure need."""
    half = group.freedom[:, None] / 2
    z = np.log(group.variance)[:, None] - logs
    density = np.exp(half * np.log(half) + half * (z - np.exp(np.minimum(z, 30.0))) - gammaln(half))
    likely = sliding_window_view(density, len(_MIXTURES), axis=1) @ _MIXTURES  # (blocks, variances, hypotheses)
    sums = np.log((1 - _OUTLIERS) * likely + _OUTLIERS * _OUTLIER_DENSITY).sum(axis=0)
    best = sums.max(axis=1, keepdims=True)
    return np.asarray(best[:, 0] + np.log(np.exp(sums - best).mean(axis=1)))
