"""Noise of frames with patterns other than Bayer, whose samples of one site lie too far apart.

Of single frames: from the errors of predicting samples by their neighbours. Of bursts: from Bayer mosaics made of them, whose noise differs by a known factor.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise
from burstsr.core.remosaic import BAYER, as_bayer, interpolated, prediction_errors
from burstsr.core.sensor import samples
from burstsr.noise.fit import NoiseFit

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_BLOCK_PX = 16  # least side of a block, of whole periods
LAPLACIAN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)  # as for Bayer mosaics
_SIMULATED = 512  # side of the simulated noise


def blocks_of(frame: Frame) -> list[tuple[Doubles, Doubles]]:
    """Return, per channel, the mean level of blocks that are not clipped, and the mean square of their prediction errors."""
    x, cfa, gain = samples(frame.mosaic, frame.info.levels), frame.info.cfa, frame.info.gain
    even = x
    if gain is not None:
        cells = np.repeat(np.repeat(gain.cells(frame.info.shape), 2, axis=1), 2, axis=2)
        even = np.asarray(x / np.take_along_axis(cells, cfa.channel_map(x.shape)[None].astype(np.int64), axis=0)[0], np.float32)
    squares = prediction_errors(even, cfa) ** 2
    found = []
    for channel in range(len(cfa.channels)):
        level, square = (_in_blocks(values, cfa, channel).mean(axis=1, dtype=np.float64) for values in (even, squares))
        usable = (_in_blocks(x, cfa, channel).max(axis=1) < 0.98) & (square > 0)
        found.append((level[usable], square[usable]))
    return found


def as_bayer_burst(burst: Burst) -> tuple[Burst, Doubles]:
    """Return a burst as Bayer mosaics, and the factor (3,) by which the variance of their second differences differs from that of its own samples."""
    if burst.info.cfa.has_bayer_cells:
        return burst, np.ones(len(burst.info.cfa.channels))
    return Burst(burst.name, tuple(as_bayer(frame) for frame in burst)), np.array(_gains(burst.info.cfa))


def times(noise: Noise, factor: Doubles) -> Noise:
    """Return the noise with its variance multiplied by a factor per channel."""
    return noise if np.all(factor == 1) else replace(noise, alpha=noise.alpha * factor, beta=noise.beta * factor)


def of_samples(found: NoiseFit, factor: Doubles) -> NoiseFit:
    """Return a fit to Bayer mosaics as that of the frames' own samples; factor: of `as_bayer_burst`."""
    if np.all(factor == 1):
        return found
    points = [
        replace(p, variance=p.variance / f, structure=p.structure / f, structure_error=p.structure_error / f) for p, f in zip(found.points, factor, strict=True)
    ]
    errors = {"alpha_error": found.alpha_error / factor, "beta_error": found.beta_error / factor}
    return replace(found, noise=times(found.noise, 1 / factor), points=(points[0], points[1], points[2]), **errors)


@lru_cache(maxsize=16)
def _gains(cfa: Cfa) -> tuple[float, ...]:
    """Return, per channel, the variance of second differences in Bayer mosaics made of white noise of variance 1; by simulation."""
    white = np.random.default_rng(0).standard_normal((_SIMULATED, _SIMULATED), np.float32)
    made = interpolated(white, cfa, BAYER)
    planes = [[cv2.sepFilter2D(np.ascontiguousarray(made[y::2, x::2]), cv2.CV_32F, LAPLACIAN, LAPLACIAN) for y, x in BAYER.sites(c)] for c in range(3)]
    return tuple(float(np.mean([plane.var(dtype=np.float64) for plane in of_channel])) for of_channel in planes)


@lru_cache(maxsize=16)
def quantiles_of_flat(cfa: Cfa, quantile: float) -> tuple[float, ...]:
    """Return, per channel, the quantile of the mean square errors of blocks over their variance, for white noise; by simulation."""
    white = np.random.default_rng(0).standard_normal((_SIMULATED, _SIMULATED), np.float32)
    squares = prediction_errors(white, cfa) ** 2
    return tuple(float(np.quantile(_in_blocks(squares, cfa, c).mean(axis=1), quantile)) for c in range(len(cfa.channels)))


def _in_blocks(values: Floats, cfa: Cfa, channel: int) -> Floats:
    """Return a channel's samples in each whole block, (blocks, samples)."""
    (py, px), (height, width) = cfa.period, values.shape
    rows, columns = (p * -(-_BLOCK_PX // p) for p in (py, px))
    down, across = height // rows, width // columns
    blocks = values[: down * rows, : across * columns].reshape(down, rows, across, columns).swapaxes(1, 2).reshape(down * across, rows, columns)
    return np.asarray(blocks[:, cfa.channel_map((rows, columns)) == channel])
