"""Exposure ratios between frames, measured from their samples.

Frames are averaged over blocks and registered; the ratio of a frame's blocks to those of the reference, both neither clipped nor dark, is that of the
exposures. Vignetting cancels out, since a camera moves by far less than its extent during a burst.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.align import translation
from burstsr.bracket.blocks import Blocks
from burstsr.bracket.ratio_fit import Fit, fitted
from burstsr.core.burst import Frame
from burstsr.core.report import ExposureRatio
from burstsr.core.sensor import CLIPPED

Doubles = NDArray[np.float64]
_SIZES = (2, 4)  # of the squares of blocks that are compared; that with the smallest error is used
_COARSE_ROUNDS, _ROUNDS = 2, 6  # of registration and measurement: with the largest squares, and all
_SETTLED, _STILL = 0.5, 0.05  # change of the ratio, in its standard errors, and of the motion, in blocks, after which registration is not repeated
_OTHER = 0.1  # relative change of the ratio after which the translation is looked for again
_LARGEST_ERROR, _LARGEST_ALONE = 0.08, 0.25  # relative standard error beyond which a measurement is useless; the same without EXIF
_CERTAIN, _CONSISTENT = 0.02, 3.0  # error beyond which the EXIF ratio is used where it is within so many standard errors
_QUANTILES = (0.5, 0.35, 0.2, 0.1, 0.05)  # at which levels are compared for a first guess


def exif_ratio(frame: Frame, reference: Frame) -> float | None:
    """Return the ratio of exposure time times ISO; None where either frame lacks one."""
    values = [(f.info.exposure_s, f.info.iso) for f in (frame, reference)]
    if min(min(v) for v in values) <= 0:
        return None
    return (values[0][0] * values[0][1]) / (values[1][0] * values[1][1])


def measure_ratio(reference: Blocks, frame: Blocks, exif: float | None) -> ExposureRatio:
    """Measure the exposure of a frame relative to the reference; where that is impossible, the EXIF ratio, else 1, with an infinite error."""
    ratio, error = exif or first_guess(reference.grey, frame.grey), np.inf
    motion, registered_at = np.zeros((2, 3)), np.inf
    for turn in range(_ROUNDS):
        before, coarse = ratio, turn < _COARSE_ROUNDS
        if abs(ratio / registered_at - 1) > _OTHER:
            motion, registered_at = np.zeros((2, 3)), ratio
            motion[:, 0] = _translation(reference, frame, ratio)
        best = _best_fit(*_registered(reference, frame, motion), ratio, _SIZES[-1:] if coarse else _SIZES)
        if best is None and coarse:
            continue
        if best is None:
            break
        found, size = best
        step = found.motion * np.array([size, 1, 1])
        ratio, error, motion = found.ratio, found.error, motion - step
        if not coarse and abs(ratio / before - 1) < _SETTLED * error and np.abs(step[:, 0]).max() < _STILL:
            break
    if error > (_LARGEST_ERROR if exif else _LARGEST_ALONE):
        return ExposureRatio(exif or 1.0, np.inf, exif)
    if exif and error > _CERTAIN and abs(ratio / exif - 1) < _CONSISTENT * error:
        return ExposureRatio(exif, error, exif)
    return ExposureRatio(ratio, error, exif)


def _registered(reference: Blocks, frame: Blocks, motion: Doubles) -> tuple[Blocks, Blocks]:
    """Return both frames' blocks, each moved by half of what is not whole blocks: interpolation blurs, and what one of them lacks would bias the ratio."""
    whole = np.rint(motion * [1, 0, 0])
    return reference.moved((whole - motion) / 2), frame.moved((whole + motion) / 2)


def _best_fit(reference: Blocks, frame: Blocks, ratio: float, sizes: Sequence[int]) -> tuple[Fit, int] | None:
    """Return the fit with the smallest error, and the size of its squares of blocks; None where there is none."""
    fits = [(fit, size) for size in sizes if (fit := fitted(reference.enlarged(size), frame.enlarged(size), ratio))]
    return min(fits, key=lambda found: found[0].error, default=None)


def _translation(reference: Blocks, frame: Blocks, ratio: float) -> tuple[int, int]:
    """Return the best translation, both limited to levels that neither clips."""
    top = min(1.0, 1.0 / ratio) * CLIPPED
    a, b = (np.sqrt(np.clip(v, 0, top)).astype(np.float32) for v in (reference.grey, frame.grey / ratio))
    return translation(a, b)


def first_guess(reference: Doubles, frame: Doubles) -> float:
    """Return the ratio of the highest quantile of levels that neither frame clips."""
    return next(iter(quantile_ratios(reference, frame)), 1.0)


def quantile_ratios(reference: Doubles, frame: Doubles) -> list[float]:
    """Return the ratios of those quantiles of levels, from the median down, that neither frame clips."""
    pairs = [tuple(float(np.quantile(levels, quantile)) for levels in (reference, frame)) for quantile in _QUANTILES]
    return [high / low for low, high in pairs if max(low, high) < 0.7 and min(low, high) > 0]


def measure_ratios(frames: Sequence[Frame], blocks: Sequence[Blocks], reference: int) -> list[ExposureRatio]:
    """Measure the exposure of every frame relative to frames[reference]. blocks: of each, see `blocks_of`."""
    return [
        ExposureRatio(1.0, 0.0, 1.0) if i == reference else measure_ratio(blocks[reference], b, exif_ratio(frames[i], frames[reference]))
        for i, b in enumerate(blocks)
    ]
