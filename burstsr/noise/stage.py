"""Noise model of a burst: the NoiseProfile of its files or, where there is none, an estimate from the frames."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.cfa import GREEN
from burstsr.core.mono import equal_channels
from burstsr.core.noise import Noise
from burstsr.core.sensor import mean_sample, samples
from burstsr.noise.agreement import MakeRegistrar, raise_noise
from burstsr.noise.from_burst import FEWEST_FRAMES, MakeAligner, floors_of, without_gain
from burstsr.noise.line import line_below, scale_of
from burstsr.noise.patterns import as_bayer_burst, blocks_of, quantiles_of_flat, times
from burstsr.noise.quantised import at_least_quantised

_LOG = logging.getLogger(__name__)
_BLOCK = 8  # side of a block, in samples of one colour
_BINS = 16
_QUANTILE = 0.2
_MEASURED_FRAMES, _MEASURED_WINDOWS = 8, 4
_CHECKED_FRAMES, _CHECKED_WINDOWS = 6, 1
_SMALLER, _LARGER = 0.55, 2.75  # ratios of measured to given variance beyond which the given model is questioned
_LAPLACIAN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6.0)  # applied along both axes: unit noise gain, zero response to planes (Immerkaer 1996, eq. 2)
_QUANTILE_OF_FLAT = 0.772  # 0.2 quantile of the ratio of a flat block's mean square to its true variance, by simulation of white noise


def estimate_noise(burst: Burst, make_aligner: MakeAligner | None = None) -> tuple[Noise, str]:
    """Return the noise model of the burst's samples and its source ("NoiseProfile", "estimated from the burst" or "estimated").

    The NoiseProfile is that of the first frame: exposures are equal. Without one, and with an aligner (`make_aligner`: a reference and its noise, to a function
    that estimates flows), structure is separated from noise over up to eight frames (`from_burst.floors_of`; "estimated" where there are only two); else
    the estimate is the mean of up to three frames. An estimate is never below the noise of quantisation (`quantised`).
    """
    known = burst.info.noise
    if known is not None and np.all(known.alpha + known.beta > 0):
        return known, "NoiseProfile"
    models = [estimate(frame) for frame in _some(burst, 3)]
    noise, source = Noise(np.mean([m.alpha for m in models], axis=0), np.mean([m.beta for m in models], axis=0)), "estimated"
    middle = burst.frames[len(burst) // 2]
    if make_aligner is not None and len(burst) > 1:
        bayer, factor = as_bayer_burst(Burst(burst.name, _some(burst, _MEASURED_FRAMES)))
        found = floors_of(bayer, times(at_least_quantised(noise, middle), factor), make_aligner, _MEASURED_WINDOWS)
        if found.known:
            noise = times(line_below(found).noise, 1 / factor)
            source = "estimated from the burst" if len(burst) >= FEWEST_FRAMES else source
    noise = at_least_quantised(noise, middle)
    _LOG.info("%s: no NoiseProfile; %s: alpha %s, beta %s", burst.name, source, noise.alpha, noise.beta)
    return noise, source


def _some(burst: Burst, most: int) -> tuple[Frame, ...]:
    """Return up to `most` frames, spread over the burst."""
    return tuple(burst.frames[i] for i in np.unique(np.linspace(0, len(burst) - 1, min(len(burst), most)).astype(int)))


def check_noise_profile(burst: Burst, given: Noise, make_aligner: MakeAligner) -> str:
    """Compare the given noise model of a burst with a measurement; return a warning, or "" where they are consistent.

    The most likely common factor on all variances is estimated from a few frames and windows. Texture that fills the frame can only make it too large, so
    the upper tolerance is wider.
    """
    if len(burst) < FEWEST_FRAMES:
        return ""
    bayer, of_bayer = as_bayer_burst(Burst(burst.name, _some(burst, _CHECKED_FRAMES)))
    given = times(given, of_bayer)
    found = floors_of(bayer, given, make_aligner, _CHECKED_WINDOWS)
    factor = scale_of(found, given)
    largest = _LARGER if burst.info.cfa.has_bayer_cells else np.inf  # texture remains in mosaics made of frames with other patterns
    if not found.known or _SMALLER < factor < largest:
        return ""
    level = max(float(np.median(np.concatenate(found.level))), 1e-3)
    ratio = f"{factor:.1f} times the" if factor > 1 else f"1/{1 / factor:.1f} of the"
    return (
        f"measured noise is {ratio} NoiseProfile (variance at level {level:.2g}); the NoiseProfile may be wrong: "
        "measure the noise with burstsr calibrate noise, and use process --profile FILE"
    )


def check_agreement(burst: Burst, noise: Noise, make_registrar: MakeRegistrar) -> tuple[Noise, float, str]:
    """Raise the noise model where well-aligned frames differ everywhere by more than it predicts.

    Also returns the factor (variance, mean over channels; 1: not raised), and a warning, or "".
    """
    found, factor = raise_noise(burst, noise, make_registrar)
    if factor == 1.0:
        return noise, factor, ""
    warning = (
        f"well-aligned frames differ everywhere by {factor:.0f} times the variance of the noise model (lossy compression, or a NoiseProfile that is "
        "too low): the noise model was raised accordingly, so that the frames are used; low-contrast detail may be smoothed"
    )
    return found, factor, warning


def estimate(frame: Frame) -> Noise:
    """Estimate the noise model of one frame per channel, from the mean square second difference of its flattest blocks at each level (Foi 2008, section III).

    Structure in every block makes the estimate too high; it is never too low by more than the sampling error.
    """
    if not frame.info.cfa.has_bayer_cells:
        flat = quantiles_of_flat(frame.info.cfa, _QUANTILE)
        return Noise(*np.array([_fit(*of_channel, of_flat) for of_channel, of_flat in zip(blocks_of(frame), flat, strict=True)]).T)
    return estimate_of_frames([frame])


def estimate_of_frames(frames: Sequence[Frame]) -> Noise:
    """Estimate the one noise model of frames of equal sensitivity, whose exposures may differ, as `estimate` does."""
    cfa = frames[0].info.cfa
    if not cfa.has_bayer_cells:
        models = [estimate(frame) for frame in frames]
        return Noise(np.mean([m.alpha for m in models], axis=0), np.mean([m.beta for m in models], axis=0))
    levels: list[list[NDArray[np.float64]]] = [[] for _ in cfa.channels]
    squares: list[list[NDArray[np.float64]]] = [[] for _ in cfa.channels]
    for frame in frames:
        x = samples(frame.mosaic, frame.info.levels)
        for i, j in cfa.sites():
            plane = np.ascontiguousarray(x[i :: cfa.period[0], j :: cfa.period[1]])
            level, square = _blocks(plane, without_gain(plane, frame, (i, j)))
            levels[cfa.channel(i, j)].append(level)
            squares[cfa.channel(i, j)].append(square)
    fitted = [_fit(np.concatenate(levels[c]), np.concatenate(squares[c])) for c in range(len(cfa.channels))]
    noise = Noise(np.array([a for a, _ in fitted]), np.array([b for _, b in fitted]))
    return equal_channels(noise) if cfa.is_mono else noise


def _blocks(plane: NDArray[np.float32], even: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean level, and mean square second difference, of the plane's whole blocks that are not clipped. even: the plane without gain that varies."""
    residual = cv2.sepFilter2D(even, cv2.CV_32F, _LAPLACIAN, _LAPLACIAN)[1:-1, 1:-1]
    plane, even = plane[1:-1, 1:-1], even[1:-1, 1:-1]
    h, w = (n // _BLOCK * _BLOCK for n in plane.shape)
    shape = (h // _BLOCK, _BLOCK, w // _BLOCK, _BLOCK)
    level = even[:h, :w].reshape(shape).mean((1, 3), dtype=np.float64).ravel()
    peak = plane[:h, :w].reshape(shape).max((1, 3)).ravel()
    square = (residual[:h, :w].astype(np.float64) ** 2).reshape(shape).mean((1, 3)).ravel()
    usable = (peak < 0.98) & (square > 0)
    return level[usable], square[usable]


def _fit(level: NDArray[np.float64], square: NDArray[np.float64], flat: float = _QUANTILE_OF_FLAT) -> tuple[float, float]:
    from scipy.optimize import nnls  # only where noise is measured: takes long to import

    if level.size < 4:
        return 1e-4, 1e-6
    edges = np.quantile(level, np.linspace(0, 1, min(_BINS, max(1, level.size // 24)) + 1))
    x, y = [], []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (level >= low) & (level <= high)
        if inside.sum() >= 4:
            x.append(float(level[inside].mean()))
            y.append(float(np.quantile(square[inside], _QUANTILE)) / flat)
    a, b = np.maximum(np.array(x), 0.0), np.array(y)
    solution = np.zeros(2)
    weight = 1.0 / b
    for _ in range(5):  # relative errors; bins dominated by structure are above the line and are down-weighted
        solution, _ = nnls(np.column_stack([a, np.ones_like(a)]) * weight[:, None], b * weight)
        model = np.maximum(solution[0] * a + solution[1], 1e-12)
        weight = 1.0 / (model * (1.0 + np.maximum(b / model - 1.0, 0.0) * 4.0))
    return float(solution[0]), float(max(solution[1], 1e-12))


def estimate_snr(frame: Frame, noise: Noise) -> float:
    """Return the ratio of the mean level to the noise sigma at that level, on green or grey, on which the settings depend."""
    level, channel = mean_sample(frame), min(GREEN, len(noise.alpha) - 1)
    return max(level, 0.0) / float(np.sqrt(max(float(noise.variance(level, channel)), 1e-18)))
