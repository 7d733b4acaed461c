"""Interpolation of mosaics of any pattern, and Bayer mosaics made by it, for stages that compare frames: alignment, robustness, merge kernels.

Each value is that of a plane fitted to the samples of its channel around it, weighted by distance (local linear regression: Cleveland 1979), so that
neither a constant nor a gradient shows the pattern. The weights are the same at all sites of one phase.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.jit import over_rows
from burstsr.core.sensor import clipped_samples

Floats = NDArray[np.float32]
Taps = tuple[tuple[int, int, float], ...]  # dy, dx, weight
BAYER = Cfa.parse("RGGB")
_LEVELS = Levels(np.full((2, 2), 8192.0), 57344.0)  # room for noise below black
_REACH = 4  # pixels
_SIGMA_PX = 0.8  # of the weights
_PREDICTION_SIGMA_PX = 1.2  # the same where a sample is predicted
_LEAST = 1e-4  # weights below are left out
_KEPT = "_as_bayer"


def as_bayer(frame: Frame) -> Frame:
    """Return a Bayer or monochrome frame as it is; of any other an RGGB mosaic of the same size, made once and kept with the frame.

    Its noise is lower than a sensor's from sample to sample; that of means over a few CFA cells is the same.
    """
    if frame.info.cfa.has_bayer_cells:
        return frame
    kept = vars(frame)
    if _KEPT not in kept:
        levels = replace(_LEVELS, saturation=frame.info.levels.saturation)
        made = interpolated(clipped_samples(frame), frame.info.cfa, BAYER) / np.float32(levels.scale()[0, 0]) + np.float32(levels.black[0, 0])
        mosaic = np.clip(np.rint(made), 0, 65535).astype(np.uint16)
        kept[_KEPT] = frame.with_mosaic(mosaic).with_info(replace(frame.info, cfa=BAYER, levels=levels))
    bayer: Frame = kept[_KEPT]
    return bayer


def interpolated(samples: Floats, cfa: Cfa, wanted: Cfa) -> Floats:
    """Interpolate samples (H, W) of a CFA at all pixels, each in the channel that it has in `wanted`: (H, W) float32."""
    return _filtered(samples, cfa, wanted, taps)


def prediction_errors(samples: Floats, cfa: Cfa) -> Floats:
    """Return the error of predicting each sample (H, W) from its neighbours of the same channel, in units in which that of white noise has its sigma."""
    return _filtered(samples, cfa, cfa, _error_taps)


def _filtered(samples: Floats, cfa: Cfa, wanted: Cfa, taps_of: Callable[[Cfa, int], Taps]) -> Floats:
    """Return (H, W) sums of the samples around each pixel by the weights of its phase and of its channel in `wanted`."""
    height, width = samples.shape
    periods = [math.lcm(a, b) for a, b in zip(cfa.period, wanted.period, strict=True)]
    rows, columns = (inside_at_phase(np.arange(-_REACH, n + _REACH), n, p) for n, p in zip(samples.shape, cfa.period, strict=True))
    padded = samples[np.ix_(rows, columns)]
    out = np.empty(samples.shape, np.float32)

    def phases(first: int, last: int) -> None:
        for n in range(first, last):
            y, x = divmod(n, periods[1])
            total = np.zeros((len(range(y, height, periods[0])), len(range(x, width, periods[1]))), np.float32)
            for dy, dx, weight in taps_of(cfa.shifted(y, x), wanted.channel(y, x)):
                top, left = y + dy + _REACH, x + dx + _REACH
                total += np.float32(weight) * padded[top : top + height - y : periods[0], left : left + width - x : periods[1]]
            out[y :: periods[0], x :: periods[1]] = total

    over_rows(phases, periods[0] * periods[1])
    return out


@lru_cache(maxsize=1024)
def taps(cfa: Cfa, channel: int) -> Taps:
    """Return the samples that make the value of a channel at the first site of a CFA: the weighted least-squares plane through those around it."""
    return _plane(cfa, channel, _SIGMA_PX)


@lru_cache(maxsize=1024)
def _error_taps(cfa: Cfa, channel: int) -> Taps:
    """Return the weights of the prediction error at the first site of a CFA: the sample minus the plane through those around it."""
    others = _plane(cfa, channel, _PREDICTION_SIGMA_PX, own=False)
    sigma = math.sqrt(1 + sum(w * w for *_, w in others))
    return ((0, 0, 1 / sigma), *((y, x, -w / sigma) for y, x, w in others))


def _plane(cfa: Cfa, channel: int, sigma_px: float, own: bool = True) -> Taps:
    """Return the weights of the samples of a channel in the plane fitted around the first site; own: including its own."""
    reach = range(-_REACH, _REACH + 1)
    d = np.array([(y, x) for y in reach for x in reach if cfa.channel(y, x) == channel and (own or y or x)], np.float64)
    near = np.exp(-0.5 * (d**2).sum(axis=1) / sigma_px**2)
    basis = np.column_stack([np.ones(len(d)), d])
    weights = np.linalg.solve((basis.T * near) @ basis, basis.T * near)[0]
    kept = np.abs(weights) >= _LEAST
    weights = weights[kept] / weights[kept].sum()
    return tuple((int(y), int(x), float(w)) for (y, x), w in zip(d[kept], weights, strict=True))


def inside_at_phase(index: NDArray[np.int64], length: int, period: int) -> NDArray[np.int64]:
    """Move indices beyond a border to the nearest of the same phase inside."""
    below = np.where(index < 0, index % period, index)
    return np.where(below >= length, length - period + (below - length) % period, below)
