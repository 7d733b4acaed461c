"""Exposure ratios between frames, measured from their samples.

Frames are averaged over blocks and registered by a translation; the ratio of a frame's blocks to those of the reference, both neither clipped nor dark,
is that of the exposures. Vignetting cancels out, since a camera moves by far less than its extent during a burst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import translation
from burstsr.core.burst import Frame
from burstsr.core.noise import Noise
from burstsr.core.report import ExposureRatio
from burstsr.core.sensor import CLIPPED

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
_BLOCKS = 400  # along the longer side of a frame, about
_LEAST_SNR = 4.0  # of a block
_FEWEST = 24  # blocks
_SIZES = (1, 2, 4, 8)  # of the squares of blocks that are compared; that with the smallest error is used
_ROUNDS = 4  # of registration and measurement
_SETTLED = 0.02  # relative change of the ratio after which registration is not repeated
_REWEIGHTINGS = 8
_TUKEY = 4.7  # residuals beyond this many standard deviations have no weight
_MISPLACED = 0.1  # blocks: error of the registration
_ABOVE_LOW = 2.5  # standard deviations of a sample that a level must be above raw value 0, where noise is clipped
_CORRELATED = 2.0  # factor on the standard error, since misregistration is the same over neighbouring blocks
_AGREEING, _LEAST_AGREEMENT = 0.1, 0.65  # relative difference of a block that agrees with the ratio, and the least share of such blocks
_LARGEST_ERROR = 0.05  # relative standard error beyond which a measurement is useless
_CERTAIN, _CONSISTENT = 0.02, 3.0  # error beyond which the EXIF ratio is used where it is within so many standard errors
_QUANTILES = (0.5, 0.35, 0.2, 0.1, 0.05)  # at which levels are compared for a first guess


@dataclass(frozen=True)
class Blocks:
    """A frame averaged over blocks: level (h, w), in units of its own saturation, noise variance, and whether no sample is clipped.

    low: level of raw value 0. samples: square root of their number in a block.
    """

    level: Doubles
    variance: Doubles
    valid: Mask
    low: float
    samples: float

    def enlarged(self, size: int) -> Blocks:
        """Return blocks of size x size of these, valid where all of them are."""
        if size == 1:
            return self
        rows, columns = (n // size for n in self.level.shape)
        level, variance, valid = (v[: rows * size, : columns * size].reshape(rows, size, columns, size) for v in (self.level, self.variance, self.valid))
        unclipped = np.asarray(valid.all(axis=(1, 3)), np.bool_)
        return Blocks(level.mean(axis=(1, 3)), variance.mean(axis=(1, 3)) / size**2, unclipped, self.low, self.samples * size)


def _whole_blocks(frame: Frame) -> tuple[NDArray[np.uint16], int]:
    """Return the part of a frame's mosaic that consists of whole blocks, and their side: whole CFA cells."""
    height, width = frame.info.shape
    period = frame.info.cfa.period[0] * (2 if frame.info.cfa.period[0] % 2 else 1)
    side = period * max(1, round(max(height, width) / _BLOCKS / period))
    return frame.mosaic[: height // side * side, : width // side * side], side


def block_levels(frame: Frame) -> Doubles:
    """Return the means (h, w) of a frame's samples over square blocks, in units of its own saturation."""
    mosaic, side = _whole_blocks(frame)
    size = (mosaic.shape[1] // side, mosaic.shape[0] // side)
    black, white = float(frame.info.levels.black.mean()), frame.info.levels.white
    return np.asarray((cv2.resize(mosaic.astype(np.float32), size, interpolation=cv2.INTER_AREA).astype(np.float64) - black) / (white - black))


def blocks_of(frame: Frame, noise: Noise) -> Blocks:
    """Average a frame over square blocks of whole CFA cells. noise: of its samples in units of its own saturation."""
    mosaic, side = _whole_blocks(frame)
    level = block_levels(frame)
    rows, columns = level.shape
    levels = frame.info.levels
    black = float(levels.black.mean())
    high = np.uint16(np.clip(black + CLIPPED * (levels.white - black), 0, 65535))
    clipped = (mosaic >= high).reshape(rows, side, columns, side).any(axis=(1, 3))
    alpha, beta = float(noise.alpha.mean()), float(noise.beta.mean())
    valid = cv2.dilate(np.asarray(clipped, np.uint8), np.ones((3, 3), np.uint8)) == 0
    return Blocks(level, np.maximum(alpha * np.maximum(level, 0) + beta, 1e-14) / side**2, valid, -black / (levels.white - black), float(side))


def exif_ratio(frame: Frame, reference: Frame) -> float | None:
    """Return the ratio of exposure time times ISO; None where either frame lacks one."""
    values = [(f.info.exposure_s, f.info.iso) for f in (frame, reference)]
    if min(min(v) for v in values) <= 0:
        return None
    return (values[0][0] * values[0][1]) / (values[1][0] * values[1][1])


def measure_ratio(reference: Blocks, frame: Blocks, exif: float | None) -> ExposureRatio:
    """Measure the exposure of a frame relative to the reference; where that is impossible, the EXIF ratio, else 1, with an infinite error."""
    ratio, error = exif or first_guess(reference.level, frame.level), np.inf
    for _ in range(_ROUNDS):
        before = ratio
        pair = _registered(reference, frame, ratio)
        candidates = [found for size in _SIZES if (found := _regressed(pair[0].enlarged(size), pair[1].enlarged(size), ratio))]
        ratio, error = min(candidates, key=lambda found: found[1], default=(ratio, np.inf))
        if error > _LARGEST_ERROR:
            return ExposureRatio(exif or 1.0, np.inf, exif)
        if exif and error > _CERTAIN and abs(ratio / exif - 1) < _CONSISTENT * error:
            return ExposureRatio(exif, error, exif)
        if abs(ratio / before - 1) < _SETTLED:
            break
    return ExposureRatio(ratio, error, exif)


def first_guess(reference: Doubles, frame: Doubles) -> float:
    """Return the ratio of the highest quantile of levels that neither frame clips."""
    return next(iter(quantile_ratios(reference, frame)), 1.0)


def quantile_ratios(reference: Doubles, frame: Doubles) -> list[float]:
    """Return the ratios of those quantiles of levels, from the median down, that neither frame clips."""
    pairs = [tuple(float(np.quantile(levels, quantile)) for levels in (reference, frame)) for quantile in _QUANTILES]
    return [high / low for low, high in pairs if max(low, high) < 0.7 and min(low, high) > 0]


def _registered(reference: Blocks, frame: Blocks, ratio: float) -> tuple[Blocks, Blocks]:
    """Return the overlap of both after the best translation, both limited to levels that neither clips."""
    top = min(1.0, 1.0 / ratio) * CLIPPED
    a = np.sqrt(np.clip(reference.level, 0, top)).astype(np.float32)
    b = np.sqrt(np.clip(frame.level / ratio, 0, top)).astype(np.float32)
    dy, dx = translation(a, b)
    height, width = a.shape
    here = slice(max(0, -dy), height - max(0, dy)), slice(max(0, -dx), width - max(0, dx))
    there = slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx))
    return _cropped(reference, here), _cropped(frame, there)


def _cropped(blocks: Blocks, at: tuple[slice, slice]) -> Blocks:
    return replace(blocks, level=blocks.level[at], variance=blocks.variance[at], valid=blocks.valid[at])


def _regressed(reference: Blocks, frame: Blocks, guess: float) -> tuple[float, float] | None:
    """Return the ratio of registered blocks, and its relative standard error, by robust least squares; a remaining shift is fitted along with it.

    None where too few blocks are valid, or too few of them agree.

    Blocks are chosen and weighted by the most likely level given both frames, which is independent of the noise of y - ratio x: else that would bias the ratio.
    """
    if reference.level.size < _FEWEST:
        return None
    certainty = 1 / reference.variance, guess**2 / frame.variance
    likely = (reference.level * certainty[0] + frame.level / guess * certainty[1]) / (certainty[0] + certainty[1])
    smooth = np.maximum(cv2.blur(likely, (3, 3)), 1e-9)
    valid = reference.valid & frame.valid
    for blocks, ratio in ((reference, 1.0), (frame, guess)):
        deviation = np.sqrt(blocks.variance)
        valid &= (smooth * ratio > _LEAST_SNR * deviation) & (smooth * ratio - blocks.low > _ABOVE_LOW * deviation * blocks.samples)
    if np.count_nonzero(valid) < _FEWEST:
        return None
    shift = [cv2.Sobel(smooth, -1, *order, ksize=3, scale=1 / 8)[valid] for order in ((1, 0), (0, 1))]
    x, y, level = reference.level[valid], frame.level[valid], smooth[valid]
    observed, instruments = np.stack([x, *shift], 1), np.stack([level, *shift], 1)
    spread = _MISPLACED**2 * (shift[0] ** 2 + shift[1] ** 2)
    solution = np.array([float(np.median(y) / np.median(x)), 0.0, 0.0])
    for _ in range(_REWEIGHTINGS):
        variance = frame.variance[valid] + solution[0] ** 2 * (reference.variance[valid] + spread)
        unit = (y - observed @ solution) / np.sqrt(variance)
        scale = max(1.0, 1.4826 * float(np.median(np.abs(unit))))
        weight = np.maximum(1 - (unit / (_TUKEY * scale)) ** 2, 0) ** 2 / variance
        weighted = (instruments * weight[:, None]).T
        normal = weighted @ observed + 1e-12 * np.diag((weighted @ observed).diagonal())
        solution = np.linalg.lstsq(normal, weighted @ y, rcond=None)[0]
        if not solution[0] > 0:
            return None
    agree = np.abs(y - observed @ solution) < _AGREEING * solution[0] * level + _TUKEY * np.sqrt(variance)
    if float(agree.mean()) < _LEAST_AGREEMENT:
        return None
    influence = np.linalg.lstsq(normal, weighted, rcond=None)[0][0]
    return float(solution[0]), _CORRELATED * float(np.linalg.norm(influence * (y - observed @ solution)) / solution[0])


def measure_ratios(frames: Sequence[Frame], blocks: Sequence[Blocks], reference: int) -> list[ExposureRatio]:
    """Measure the exposure of every frame relative to frames[reference]. blocks: of each, see `blocks_of`."""
    return [
        ExposureRatio(1.0, 0.0, 1.0) if i == reference else measure_ratio(blocks[reference], b, exif_ratio(frames[i], frames[reference]))
        for i, b in enumerate(blocks)
    ]
