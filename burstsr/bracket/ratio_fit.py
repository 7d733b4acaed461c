"""The ratio of two registered frames' blocks: regression with noise in both, noise that the sensor's range clips included.

Blocks are chosen and weighted by the most likely level given both frames, which is independent of the noise of y - ratio x: else that would bias the ratio.
It is that of a wide neighbourhood: what is blurred in one of them is lighter where it is dark and darker where it is light, on which weights must not depend.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.blocks import Blocks, Mask, centred
from burstsr.core.censored_normal import clipped_moments
from burstsr.core.sensor import CLIPPED

Doubles = NDArray[np.float64]
_FEWEST = 24  # blocks
_LEAST_SNR = 2.0  # of a block
_LEAST_SLOPE = 0.6  # of the mean of clipped samples over their level
_BELOW_TOP = 4.0  # standard deviations of a sample by which blocks must be below saturation, where noise is clipped
_NEAR, _WIDE = 3, 9  # blocks, sides of neighbourhoods: for gradients, and for weights
_STEPS = 4096  # of the table of clipped means
_NEVER = 1e3  # level at which samples would be clipped above: blocks near saturation are left out
_MISPLACED = 0.05  # blocks: error of the registration that is left
_SHIFT = 0.5  # blocks: expected size of the motion that is fitted along
_TEXTURE = 0.01  # of the level: aliasing
_REWEIGHTINGS = 8
_CONVERGED = 1e-5  # relative change of the ratio
_TUKEY = 4.7  # residuals beyond this many standard deviations have no weight
_CORRELATED = 1.5  # factor on the standard error, since misregistration and aliasing are alike in neighbouring blocks
_NOISE_KNOWN = 0.02  # relative error of the noise's standard deviation, which clipped means depend on
_ALIASED = 0.002  # relative error that all frames share: aliasing of the reference
_AGREEING, _LEAST_AGREEMENT = 0.1, 0.65  # relative difference of a block that agrees with the ratio, and the least share of such blocks


@dataclass(frozen=True)
class Fit:
    """ratio, and its relative standard error. motion: (2, 3) affine, by which the frame is still displaced, blocks of the given size."""

    ratio: float
    error: float
    motion: Doubles


@lru_cache(maxsize=32)
def _clipped(alpha: float, beta: float, low: float) -> tuple[Doubles, ...]:
    """Return levels; of each the mean of its samples, its derivative, their variance over the square of that, and the shift of levels by wrong noise."""
    level = np.linspace(0.0, 1.0, _STEPS + 1)
    variance = np.maximum(alpha * level + beta, 1e-14)
    mean, clipped = clipped_moments(level, variance, low, _NEVER)
    slope = np.maximum(np.gradient(mean, level), 1e-3)
    shift = clipped_moments(level, (1 + _NOISE_KNOWN) ** 2 * variance, low, _NEVER)[0] - mean
    return level, mean, slope, np.maximum(clipped, 1e-14) / slope**2, shift / slope


class _ClippedMean:
    """Mean and variance of samples of one colour of a frame, clipped by the sensor's range, as functions of the level."""

    def __init__(self, blocks: Blocks, colour: int) -> None:
        self._alpha, self._beta = float(blocks.noise.alpha[colour]), float(blocks.noise.beta[colour])
        self._samples = float(blocks.samples[colour])
        self._level, self._mean, self._slope, self._variance, self._shift = _clipped(self._alpha, self._beta, blocks.low)

    def level(self, mean: Doubles) -> Doubles:
        """Return the level whose clipped samples have a mean."""
        return np.interp(mean, self._mean, self._level)

    def _at(self, table: Doubles, level: Doubles) -> Doubles:
        return np.asarray(table[np.clip(np.rint(level * _STEPS), 0, _STEPS).astype(np.int64)])

    def linearised(self, values: Doubles, level: Doubles) -> Doubles:
        """Return block means as levels, linear around `level`."""
        near = np.clip(np.rint(level * _STEPS), 0, _STEPS).astype(np.int64)
        return np.asarray(self._level[near] + (values - self._mean[near]) / self._slope[near])

    def variance(self, level: Doubles) -> Doubles:
        """Return the variance of a block."""
        return self._at(self._variance, level) / self._samples

    def slope(self, level: Doubles) -> Doubles:
        """Return the derivative of the mean by the level."""
        return self._at(self._slope, level)

    def shift(self, level: Doubles) -> Doubles:
        """Return by how much levels are wrong where the noise is by `_NOISE_KNOWN`."""
        return self._at(self._shift, level)

    def sigma(self, level: Doubles) -> Doubles:
        """Return the standard deviation of a sample that is not clipped."""
        return np.sqrt(np.maximum(self._alpha * np.maximum(level, 0) + self._beta, 1e-14))


@dataclass(frozen=True)
class _Pairs:
    """Valid blocks of all colours, in columns (n,).

    Levels x of the reference and y of the frame, the most likely one, variances, both frames' shifts by wrong noise, and (6, n) what motion adds.
    """

    x: Doubles
    y: Doubles
    likely: Doubles
    variance_x: Doubles
    variance_y: Doubles
    shift_x: Doubles
    shift_y: Doubles
    motion: Doubles


def fitted(reference: Blocks, frame: Blocks, guess: float) -> Fit | None:
    """Return the ratio of registered blocks by robust least squares; the motion that is left is fitted along with it.

    None where too few blocks are valid, or too few of them agree.
    """
    if reference.level[0].size < _FEWEST:
        return None
    parts = [_pairs(reference, frame, colour, guess) for colour in range(len(reference.level))]
    pairs = _Pairs(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in _Pairs.__dataclass_fields__))
    if len(pairs.x) < _FEWEST:
        return None
    half = np.array([1.0, *(max(n / 2, 1.0) for n in reference.level.shape[1:])] * 2)
    return _regressed(pairs, guess, half)


def _pairs(reference: Blocks, frame: Blocks, colour: int, guess: float) -> _Pairs:
    of = _ClippedMean(reference, colour), _ClippedMean(frame, colour)
    values, ratios = (reference.level[colour], frame.level[colour]), (1.0, guess)
    known: Mask = reference.valid[colour] & frame.valid[colour]
    wide = [np.maximum(model.level(_mean(v, known, _WIDE)), 1e-6) for model, v in zip(of, values, strict=True)]
    level = _combined(of, wide[0], wide[1], _combined(of, wide[0], wide[1], wide[0], guess), guess)
    x, y = (model.linearised(v, ratio * level) for model, v, ratio in zip(of, values, ratios, strict=True))
    variance = [model.variance(ratio * level) for model, ratio in zip(of, ratios, strict=True)]
    fine = _combined(of, _mean(x, known, _NEAR), _mean(y, known, _NEAR), level, guess)
    for model, ratio, v in zip(of, ratios, variance, strict=True):
        highest = ratio * np.maximum(level, fine)
        known &= (model.slope(ratio * level) > _LEAST_SLOPE) & (ratio * level > _LEAST_SNR * np.sqrt(v))
        known &= highest + _BELOW_TOP * model.sigma(highest) < CLIPPED
    slopes = [cv2.Sobel(fine, -1, *order, ksize=3, scale=1 / 8) for order in ((0, 1), (1, 0))]
    places = np.stack([np.ones(level.shape), *centred(level.shape)])
    motion = np.stack([(slope * place)[known] for slope in slopes for place in places])
    shifts = [model.shift(ratio * level)[known] for model, ratio in zip(of, ratios, strict=True)]
    return _Pairs(x[known], y[known], level[known], variance[0][known], variance[1][known], shifts[0], shifts[1], motion)


def _mean(values: Doubles, known: Mask, side: int) -> Doubles:
    """Return means over squares of blocks that are known."""
    share = cv2.blur(known.astype(np.float64), (side, side))
    return np.asarray(cv2.blur(np.where(known, values, 0), (side, side)) / np.maximum(share, 1e-9))


def _combined(of: tuple[_ClippedMean, _ClippedMean], x: Doubles, y: Doubles, level: Doubles, ratio: float) -> Doubles:
    """Return the most likely level of the reference given both frames, each weighted by its variance at `level`."""
    precision = 1 / of[0].variance(level), ratio**2 / of[1].variance(ratio * level)
    return np.asarray((x * precision[0] + y / ratio * precision[1]) / (precision[0] + precision[1]))


def _regressed(pairs: _Pairs, guess: float, half: Doubles) -> Fit | None:
    """Return the ratio and motion of blocks. half: (6,) largest coordinate that each coefficient of the motion is multiplied by."""
    x, y, level = pairs.x, pairs.y, pairs.likely
    observed, instruments = np.vstack([x, pairs.motion]), np.vstack([level, pairs.motion])
    spread = _MISPLACED**2 * (pairs.motion[0] ** 2 + pairs.motion[3] ** 2) + (_TEXTURE * level) ** 2
    solution = np.zeros(7)
    solution[0] = guess
    for _ in range(_REWEIGHTINGS):
        variance = pairs.variance_y + solution[0] ** 2 * (pairs.variance_x + spread)
        unit = np.square(y - solution @ observed) / variance
        scale = max(1.0, 1.4826**2 * float(np.median(unit)))
        weighted = instruments * (np.square(np.maximum(1 - unit / (_TUKEY**2 * scale), 0)) / variance)
        normal = weighted @ observed.T
        normal[np.arange(1, 7), np.arange(1, 7)] += (half / (_SHIFT * solution[0])) ** 2  # motion is small
        before, solution = solution[0], np.linalg.lstsq(normal, weighted @ y, rcond=None)[0]
        if not solution[0] > 0:
            return None
        if abs(solution[0] / before - 1) < _CONVERGED:
            break
    left = y - solution @ observed
    agree = np.abs(left) < _AGREEING * solution[0] * level + _TUKEY * np.sqrt(variance)
    if float(agree.mean()) < _LEAST_AGREEMENT:
        return None
    influence = np.linalg.lstsq(normal.T, np.eye(7)[0], rcond=None)[0] @ weighted
    by_noise = float(influence @ (pairs.shift_y - solution[0] * pairs.shift_x))
    scatter = _CORRELATED * float(np.linalg.norm(influence * left))
    error = float(np.linalg.norm([scatter / solution[0], by_noise / solution[0], _ALIASED]))
    return Fit(float(solution[0]), error, (solution[1:] / solution[0]).reshape(2, 3))
