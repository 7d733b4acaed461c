"""Noise of a result, measured by simulation on flat grey fields with the burst's own motion and robustness.

The result's noise has no closed form, because of kernels, sharpening, chroma denoising and a nonlinear reconstruction. A few small flat fields of known
intensity are therefore simulated with the noise model, the burst's motion (hence its sub-pixel phases) and its robustness (hence the effective number
of frames), and processed by the same stages as the image. Their variance is noise only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.precision import relative_precision
from burstsr.core import large_arrays
from burstsr.core.burst import Frame, FrameInfo, Levels
from burstsr.core.cfa import GREEN
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.core.mono import cell_channels
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.parallel import in_parallel
from burstsr.core.quantise import unpacked
from burstsr.core.sensor import CLIPPED
from burstsr.develop import develop
from burstsr.merge import SamePhaseMean
from burstsr.reconstruct import Reconstruction, RegisteredFrame, Task, reconstruct, robustness_of_share
from burstsr.registration import Registered
from burstsr.settings import Settings

Floats = NDArray[np.float32]
_SIDE = 64  # raw pixels along a flat field
_SIDE_BEST = 192  # output pixels along it in mode best, whose noise is correlated over the prior's blocks
_BORDER = 10  # raw pixels excluded at each border, where frames end
_INTENSITIES = (0.03, 0.08, 0.2, 0.45, 0.8)  # of the flat fields, relative to saturation of the first colour; near black the result's noise is clipped
_LEVELS = Levels(np.full((2, 2), 16384.0), 65535.0)  # room for noise below black
_TILE_PX = 16
_ACROSS = 5  # candidate positions per axis
Box = tuple[tuple[int, int], tuple[int, int]]  # raw (y, x), even, and (height, width)
_NO_DEFECTS = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class OutputNoise:
    """Measured noise of a result. model: variance by level, per channel. weight: (3,) effective samples per pixel and colour where it was measured."""

    model: Noise
    weight: NDArray[np.float64]


def variance_map(image: Floats, weight: Floats, output: OutputNoise | None, samples: Noise, scale: float) -> Floats:
    """Return the float32 noise variance of every pixel, in the shape of the image.

    The variance measured on flat fields, at the pixel's level, scaled inversely with its weight, and limited to that of a raw sample. Without a measurement:
    that of the kernel merge alone, without sharpening. samples: the noise of raw samples.
    """
    flat = output.weight.astype(np.float32) if output else np.ones(3, np.float32)
    out: Floats = large_arrays.empty(image.shape)
    planes = slice(image.shape[2])  # of monochrome frames the reconstruction has one, of equal ones that the merge has
    for rows in large_arrays.strips(out):
        raw_alpha, raw_beta = samples.of_output(range(rows.start, rows.stop), range(image.shape[1]), scale)
        level = np.maximum(image[rows], 0)
        raw = raw_alpha * level + raw_beta
        measured = output.model.alpha.astype(np.float32) * level + output.model.beta.astype(np.float32) if output else np.float32(MERGED_SHARE) * raw
        variance = np.minimum(measured * flat / np.maximum(weight[rows], np.float32(1e-6)), np.maximum(raw, measured))
        out[rows] = variance[..., planes]
    return out


def output_noise(burst: Registered, tuned: Settings, outcome: Reconstruction | None = None) -> OutputNoise:
    """Measure the noise of a result, per channel, as a model of its level: the variance of a pixel in a large flat grey area.

    Neighbouring pixels' noise is correlated (kernels, upscaling, the prior), so that the variance of a mean over n pixels falls more slowly than 1/n. Texture
    and edges, where robustness is lower, have more noise. outcome: of the reconstruction, in mode "best". Deterministic for a burst.
    """
    rng = np.random.default_rng(0)
    neutral = burst.views[burst.reference].frame.info.colour.as_shot_neutral
    side = _SIDE if outcome is None else 2 * math.ceil(_SIDE_BEST / tuned.scale / 2)
    saturation = burst.views[burst.reference].frame.info.levels.saturation
    greys = [saturation * intensity * neutral / neutral.max() for intensity in _INTENSITIES]
    boxes = _boxes(burst.views, side, len(greys))
    flats = [_flat(burst, grey, box, rng) for grey, box in zip(greys, boxes, strict=True)]
    variances, weights = zip(*in_parallel(lambda flat: _variance_on(flat, tuned, outcome), flats), strict=True)  # each alone is too small for all cores
    fitted = [_fit(np.array([grey[c] for grey in greys]), np.array([v[c] for v in variances])) for c in range(len(variances[0]))]
    return OutputNoise(Noise(*np.array(fitted).T), np.mean(weights, axis=0))


def _variance_on(flat: Registered, tuned: Settings, outcome: Reconstruction | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance (3,) of a flat field after all stages, and its mean weight (3,) in samples."""
    image, weight = develop(flat, tuned, lambda stage: None, keep_weight=True)
    assert weight is not None
    if outcome is not None:
        robustness_maps: list[Floats] = [
            np.full(view.robustness.shape, robustness_of_share(b), np.float32) for view, b in zip(flat.views, outcome.accepted, strict=True)
        ]
        known = zip(flat.views, robustness_maps, outcome.blurs, strict=True)
        views = [replace(view, robustness=robustness, blur=blur) for view, robustness, blur in known]
        neutral = flat.views[flat.reference].frame.info.colour.as_shot_neutral
        settings = replace(tuned.reconstruct, recheck_rejected_frames=False, flow_refinements=0, blur_refinements=0)  # rechecks are in the robustness
        iterations = round(outcome.iterations)  # noise decreases with each iteration
        task = Task(image, views, flat.reference, flat.noise, neutral, tuned.scale, settings, _NO_DEFECTS, iterations)
        image = reconstruct(task, lambda done, total: None).image
    border = round(_BORDER * tuned.scale)
    inner = [slice(min(border, n // 4), n - min(border, n // 4)) for n in image.shape[:2]]
    return image[inner[0], inner[1]].var(axis=(0, 1), dtype=np.float64), weight[inner[0], inner[1]].mean(axis=(0, 1), dtype=np.float64)


def _fit(level: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the non-negative (alpha, beta) with the smallest squared relative error."""
    from scipy import optimize  # takes long to import

    variance = np.maximum(variance, 1e-15)
    return np.asarray(optimize.nnls(np.stack([level / variance, 1 / variance], 1), np.ones(len(level)))[0])


def _flat(burst: Registered, grey: NDArray[np.float64], box: Box, rng: np.random.Generator) -> Registered:
    """Return the burst with its frames replaced by noisy flat fields of intensity `grey` (3,), for the reference's raw pixels in `box`."""
    reference, (corner, shape) = burst.views[burst.reference].frame, box
    info = replace(reference.info, path=Path("flat"), shape=shape, levels=_LEVELS, gain=None)
    cfa = cell_channels(reference)
    repeats = (-(-shape[0] // cfa.shape[0]), -(-shape[1] // cfa.shape[1]))
    mean = np.tile(grey[cfa], repeats)[: shape[0], : shape[1]]
    cells = slice(corner[0] // 2, (corner[0] + shape[0]) // 2), slice(corner[1] // 2, (corner[1] + shape[1]) // 2)
    views = []
    for view in burst.views:
        own = view.frame.noise(burst.noise)
        sigma = np.tile(np.sqrt(own.alpha[cfa] * grey[cfa] + own.beta[cfa]), repeats)[: shape[0], : shape[1]]
        noisy = mean + sigma * rng.standard_normal(shape, np.float32)
        robustness, precision = view.robustness[cells].copy(), _precision_on(view, grey, burst.noise, (shape[0] // 2, shape[1] // 2))
        frame = _frame(replace(info, own_noise=view.frame.info.own_noise), noisy)
        views.append(replace(view, frame=frame, flow=_flow_at(view.flow, corner, shape), robustness=robustness, precision=precision, filled=None))
    same_phase = SamePhaseMean(views[burst.reference].frame, _same_phase_weights(views[burst.reference])) if burst.same_phase else None
    for view in views:
        if same_phase:
            same_phase.add(view.frame, view.flow, _same_phase_weights(view))
    return Registered(views, burst.reference, replace(burst.noise, gain=None), same_phase)


def _same_phase_weights(view: RegisteredFrame) -> Floats:
    return unpacked(view.robustness) if view.precision is None else unpacked(view.merge_weights())


def _precision_on(view: RegisteredFrame, grey: NDArray[np.float64], noise: Noise, cells: tuple[int, int]) -> Floats | None:
    """Return the precision of a bracket's samples on a flat field of CFA `cells`: 0 where the frame would be clipped; None for other bursts."""
    if view.precision is None:
        return None
    saturation = view.frame.info.levels.saturation
    if saturation < 1 and float(grey.max()) >= CLIPPED * saturation:
        return np.zeros(cells, np.float32)
    return relative_precision(view.frame, np.full(cells, grey[GREEN], np.float32), noise)


def _frame(info: FrameInfo, samples: NDArray[np.floating]) -> Frame:
    levels = samples * (info.levels.white - info.levels.black[0, 0]) + info.levels.black[0, 0]
    return Frame(info, np.clip(np.rint(levels), 0, info.levels.white).astype(np.uint16))


def _flow_at(flow: Flow, corner: tuple[int, int], shape: tuple[int, int]) -> Flow:
    """Return the flow of a crop of `shape` at `corner`, minus whole CFA cells of its mean motion, which would leave the crop; phases are unchanged."""
    y, x = (tile_centre(np.arange(tile_count(n, _TILE_PX)), _TILE_PX) + first for n, first in zip(shape, corner, strict=True))
    tiles = flow.at(y[:, None], x[None])
    return Flow((tiles - 2 * np.rint(tiles.mean((0, 1)) / 2)).astype(np.float32), _TILE_PX)


def _boxes(views: Sequence[RegisteredFrame], side: int, count: int) -> list[Box]:
    """Return `count` crops whose total robustness is closest to the median: typical ones, neither moving areas nor exceptionally good."""
    frame = views[0].frame.info.shape
    shape = min(side, frame[0]), min(side, frame[1])
    rows, columns = (np.unique(np.linspace(0, (n - s) // 2, _ACROSS).astype(int)) for n, s in zip(frame, shape, strict=True))
    corners = [(int(y), int(x)) for y in rows for x in columns]
    total = np.zeros(len(corners))
    for view in views:
        total += [float(unpacked(view.robustness[y : y + shape[0] // 2, x : x + shape[1] // 2]).mean()) for y, x in corners]
    nearest = np.argsort(np.abs(total - np.median(total)), kind="stable")[:count]
    return [((2 * corners[i][0], 2 * corners[i][1]), shape) for i in np.resize(nearest, count)]
