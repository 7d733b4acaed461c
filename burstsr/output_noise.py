"""What noise is left in a result: measured on flat, grey ground that was seen through the burst's own motion and trust.

No formula covers kernels, sharpening, calmed colour and a reconstruction that shrinks what noise explains. So a few small flat fields of known light are
given the noise model's noise, the burst's motion (hence its sub-pixel phases) and its trust (hence how many frames really counted), and go through the
very stages that made the picture. What varies in them is noise and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from burstsr.core.burst import Frame, FrameInfo, Levels
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.flow import Flow
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.quantise import unpacked
from burstsr.develop import develop
from burstsr.merge import SamePhaseMean
from burstsr.reconstruct import Reconstruction, RegisteredFrame, Task, reconstruct, trust_of_share
from burstsr.registration import Registered
from burstsr.settings import Settings

Floats = NDArray[np.float32]
_SIDE = 64  # raw pixels along a flat field
_SIDE_BEST = 192  # output pixels of it in mode best, whose noise has a grain of the prior's blocks
_BORDER = 10  # of them, at every side, are not measured: frames end there
_LIGHTS = (0.03, 0.08, 0.2, 0.45, 0.8)  # of the flat fields, over the light that saturates the first colour; near black a result's noise is cut off
_LEVELS = Levels(np.full((2, 2), 16384.0), 65535.0)  # room for noise below black
_TILE_PX = 16
_ACROSS = 5  # places along an axis that are looked at
Box = tuple[tuple[int, int], tuple[int, int]]  # raw (y, x), even, and (height, width)
_NO_DEFECTS = np.empty((0, 2), np.int64)


@dataclass(frozen=True)
class OutputNoise:
    """model: variance by level, per channel. weight: (3,) samples of each colour that counted in a pixel where it was measured."""

    model: Noise
    weight: NDArray[np.float64]


def variance_map(image: Floats, weight: Floats, left: OutputNoise | None, samples: Noise, scale: float) -> Floats:
    """(H', W', 3) float32 noise variance of every pixel.

    What was measured on flat areas, at the pixel's level, times how many more samples counted there; never more than a raw sample's where few did. Not
    measured: of the kernel merge alone, without what sharpening adds. samples: the noise of raw samples.
    """
    raw_alpha, raw_beta = samples.of_output(range(image.shape[0]), range(image.shape[1]), scale)
    level = np.maximum(image, 0)
    raw = raw_alpha * level + raw_beta
    measured = left.model.alpha.astype(np.float32) * level + left.model.beta.astype(np.float32) if left else np.float32(MERGED_SHARE) * raw
    flat = left.weight.astype(np.float32) if left else np.ones(3, np.float32)
    return np.asarray(np.minimum(measured * flat / np.maximum(weight, np.float32(1e-6)), np.maximum(raw, measured)), np.float32)


def output_noise(burst: Registered, tuned: Settings, outcome: Reconstruction | None = None) -> OutputNoise:
    """The noise of a result, per channel, as a model of its level: a pixel's variance over a flat, grey area that is large against the noise's own grain.

    Neighbouring pixels' noise is correlated (kernels, enlarging, the prior): means over many pixels fall more slowly than by their number. On texture and
    edges there is more noise than that, where frames were not trusted as well. outcome: of the reconstruction, in mode "best".
    The same burst gives the same figures.
    """
    rng = np.random.default_rng(0)
    neutral = burst.views[burst.reference].frame.info.colour.as_shot_neutral
    side = _SIDE if outcome is None else 2 * math.ceil(_SIDE_BEST / tuned.scale / 2)
    greys = [light * neutral / neutral.max() for light in _LIGHTS]
    boxes = _boxes(burst.views, side, len(greys))
    variances, weights = zip(*(_variance_on(_flat(burst, grey, box, rng), tuned, outcome) for grey, box in zip(greys, boxes, strict=True)), strict=True)
    fitted = [_fit(np.array([grey[c] for grey in greys]), np.array([v[c] for v in variances])) for c in range(3)]
    return OutputNoise(Noise(*np.array(fitted).T), np.mean(weights, axis=0))


def _variance_on(flat: Registered, tuned: Settings, outcome: Reconstruction | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,) variance of what the stages make of a flat field, and (3,) samples that count in a pixel of it."""
    image, weight = develop(flat, tuned, lambda stage: None, keep_weight=True)
    assert weight is not None
    if outcome is not None:
        robustness_maps: list[Floats] = [
            np.full(view.robustness.shape, trust_of_share(b), np.float32) for view, b in zip(flat.views, outcome.believed, strict=True)
        ]
        believed = [RegisteredFrame(view.frame, view.flow, robustness, view.weight) for view, robustness in zip(flat.views, robustness_maps, strict=True)]
        neutral = flat.views[flat.reference].frame.info.colour.as_shot_neutral
        settings = replace(tuned.reconstruct, recheck_rejected_frames=False, flow_refinements=0)  # the first was had; nothing moves here
        turns = round(outcome.turns)  # each turn has less noise
        task = Task(image, believed, flat.reference, flat.noise, neutral, tuned.scale, settings, _NO_DEFECTS, turns)
        image = reconstruct(task, lambda done, total: None).image
    border = round(_BORDER * tuned.scale)
    inner = [slice(min(border, n // 4), n - min(border, n // 4)) for n in image.shape[:2]]
    return image[inner[0], inner[1]].var(axis=(0, 1), dtype=np.float64), weight[inner[0], inner[1]].mean(axis=(0, 1), dtype=np.float64)


def _fit(level: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """(alpha, beta), neither negative, with the least relative error."""
    variance = np.maximum(variance, 1e-15)
    return np.asarray(optimize.nnls(np.stack([level / variance, 1 / variance], 1), np.ones(len(level)))[0])


def _flat(burst: Registered, grey: NDArray[np.float64], box: Box, rng: np.random.Generator) -> Registered:
    """Flat fields of light `grey` (3,) instead of the frames, where those show the reference's raw pixels in `box`."""
    reference, (place, shape) = burst.views[burst.reference].frame, box
    info = replace(reference.info, path=Path("flat"), shape=shape, levels=_LEVELS, gain=None)
    mean = np.tile(grey[info.cfa], (shape[0] // 2, shape[1] // 2))
    sigma = np.sqrt(burst.noise.alpha[info.cfa] * grey[info.cfa] + burst.noise.beta[info.cfa])
    cells = slice(place[0] // 2, (place[0] + shape[0]) // 2), slice(place[1] // 2, (place[1] + shape[1]) // 2)
    views = []
    for view in burst.views:
        noisy = mean + np.tile(sigma, (shape[0] // 2, shape[1] // 2)) * rng.standard_normal(shape, np.float32)
        views.append(RegisteredFrame(_frame(info, noisy), _flow_at(view.flow, place, shape), view.robustness[cells].copy(), view.weight))
    steady = SamePhaseMean(views[burst.reference].frame, unpacked(views[burst.reference].robustness)) if burst.steady else None
    for view in views:
        if steady:
            steady.add(view.frame, view.flow, unpacked(view.robustness))
    return Registered(views, burst.reference, replace(burst.noise, gain=None), steady)


def _frame(info: FrameInfo, samples: NDArray[np.floating]) -> Frame:
    numbers = samples * (info.levels.white - info.levels.black[0, 0]) + info.levels.black[0, 0]
    return Frame(info, np.clip(np.rint(numbers), 0, info.levels.white).astype(np.uint16))


def _flow_at(flow: Flow, place: tuple[int, int], shape: tuple[int, int]) -> Flow:
    """The flow of a crop of `shape` from `place` on, less the whole quads that it moves by: they would lead out of the crop and change no phase."""
    y, x = (tile_centre(np.arange(tile_count(n, _TILE_PX)), _TILE_PX) + first for n, first in zip(shape, place, strict=True))
    tiles = flow.at(y[:, None], x[None])
    return Flow((tiles - 2 * np.rint(tiles.mean((0, 1)) / 2)).astype(np.float32), _TILE_PX)


def _boxes(views: Sequence[RegisteredFrame], side: int, count: int) -> list[Box]:
    """`count` crops whose trust, all frames together, is nearest to the middle: neither where things move nor by luck."""
    frame = views[0].frame.info.shape
    shape = min(side, frame[0]), min(side, frame[1])
    rows, columns = (np.unique(np.linspace(0, (n - s) // 2, _ACROSS).astype(int)) for n, s in zip(frame, shape, strict=True))
    corners = [(int(y), int(x)) for y in rows for x in columns]
    total = np.zeros(len(corners))
    for view in views:
        total += [float(unpacked(view.robustness[y : y + shape[0] // 2, x : x + shape[1] // 2]).mean()) for y, x in corners]
    nearest = np.argsort(np.abs(total - np.median(total)), kind="stable")[:count]
    return [((2 * corners[i][0], 2 * corners[i][1]), shape) for i in np.resize(nearest, count)]
