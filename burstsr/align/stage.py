"""Tile-based alignment: coarse-to-fine block matching, sub-pixel Lucas-Kanade registration, regularisation of the motion field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.align import loops
from burstsr.align.dense_refinement import CELL_PX, DenseRefinement
from burstsr.align.fisher import certain_information, noise_gain, translation_error, weighted_median, without_noise
from burstsr.align.global_motion import translation
from burstsr.align.luma import luma, pyramid
from burstsr.align.regularise import regularise_deviation, whole_frame
from burstsr.core.burst import Burst, Frame
from burstsr.core.coords import tile_count
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.settings import AlignSettings

Floats = NDArray[np.float32]
_WHOLE_PX = 256  # global translation is searched at the pyramid level whose longer side is at most this
_SHARPNESS_TILE_PX = 32
_SMALL_FRAME = 1_000_000  # frames of up to this many raw pixels are evaluated in full: an outlier may cover most of their centre
_MATCH_LEVEL = 1  # finest pyramid level of integer-pixel matching; sub-pixel registration does the rest


class Aligner:
    """Registers frames against one reference.

    Source: Wronski 2019, section 5.1 (tiles, inverse-compositional Lucas-Kanade), on the block pyramid of Hasinoff 2016, section 4.
    Departs: on variance-stabilised luma; the contribution of noise is subtracted from the Hessian; tile motion is regularised, so that tiles without
    structure follow the global motion, while a tile keeps its own motion where its residual is clearly lower.
    """

    def __init__(self, reference: Frame, noise: Noise, settings: AlignSettings) -> None:
        self._reference = reference
        self._noise = noise
        self._settings = settings
        self._tile = min(settings.tile_px, max(8, min(reference.info.shape) // 4))  # at least four tiles along the shorter side
        self._margin = self._tile // 2
        self._levels = pyramid(luma(reference, noise))
        self._refinement = DenseRefinement(self._levels[0]) if settings.refine and settings.regularisation > 0 else None
        self._spare: list[list[Floats]] = []  # pyramids for reuse
        shape = self._levels[0].shape
        self._tiles = (tile_count(shape[0], self._tile), tile_count(shape[1], self._tile))
        self._coarsest = next((i for i, level in enumerate(self._levels) if max(level.shape) <= _WHOLE_PX), len(self._levels) - 1)
        matched = range(min(_MATCH_LEVEL, self._coarsest), self._coarsest + 1)
        self._level_information = {i: without_noise(_gradient_sums(self._levels[i], self._tile, 0), i)[1] for i in matched}
        sums = _gradient_sums(self._levels[0], self._tile, self._margin)
        structure, self._information = without_noise(sums, 0)
        self._certain = certain_information(sums, windows=(1 + 2 * self._margin / self._tile) ** 2)
        self._hessian = np.stack([structure[..., 0, 0], structure[..., 0, 1], structure[..., 1, 1], sums[..., 3]], -1).astype(np.float32)

    def estimate_flow(self, frame: Frame) -> Flow:
        """Return the flow of `frame` against the reference, with its standard error; zero for the reference itself. Frames of another scene raise no error."""
        if frame is self._reference:
            return Flow.zero(self._levels[0].shape, CELL_PX if self._refinement else self._tile)
        try:
            spare = self._spare.pop()
        except IndexError:
            spare = []
        levels = pyramid(luma(frame, self._noise, out=spare[0] if spare else None), spare=spare)
        flow = self._flow_between(levels)
        self._spare.append(levels)
        return flow

    def _flow_between(self, levels: list[Floats]) -> Flow:
        start = self._match(levels)
        flow, cost = self._register(levels[0], start)
        invisible = np.isnan(cost)[..., None, None]
        information = np.where(invisible, 0.0, self._information)
        whole = whole_frame(flow.astype(np.float64), information)
        error = translation_error(flow - whole, np.where(invisible, 0.0, self._certain))
        if self._settings.regularisation <= 0:
            return Flow(flow, self._tile, error)
        field = whole + regularise_deviation(flow - whole, information, self._settings.regularisation)
        tiles = Flow(self._own_or_field(levels[0], flow, cost, field.astype(np.float32)), self._tile, error)
        if self._refinement is None:
            return tiles
        refined = self._refinement.refined(levels[0], tiles, Flow(whole.astype(np.float32), self._tile), self._settings.regularisation)
        return replace(refined, error_px=error)

    def _register(self, frame: Floats, start: Floats, iterations: int | None = None) -> tuple[Floats, Floats]:
        out, cost = np.empty((*self._tiles, 2), np.float32), np.empty(self._tiles, np.float32)
        steps = self._settings.iterations if iterations is None else iterations
        limit = np.float32(4.0)
        reference = self._levels[0]
        over_rows(loops.register_tiles, self._tiles[0], reference, frame, self._tile, self._margin, self._hessian, steps, limit, start, out, cost)
        return out, cost

    def _own_or_field(self, frame: Floats, flow: Floats, cost: Floats, field: Floats) -> Floats:
        """Return the regularised field, except in tiles whose own motion has a far lower residual (moving objects)."""
        _, field_cost = self._register(frame, field, 0)
        noise_floor = 2 * noise_gain(0)[0]
        local_wins = (field_cost > 2.0 * cost) & (field_cost - cost > 1.0 * noise_floor)
        return np.where(local_wins[..., None], flow, field).astype(np.float32)

    def _match(self, levels: list[Floats]) -> Floats:
        """Return the integer-pixel initial flow of each tile, (nty, ntx, 2) float32 raw pixels."""
        coarsest = self._coarsest
        dy, dx = translation(self._levels[coarsest], levels[coarsest])
        flow = np.array([[[dy, dx]]], np.float64)
        model = flow
        for i in range(coarsest, min(_MATCH_LEVEL, coarsest) - 1, -1):
            ref, frame = self._levels[i], levels[i]
            shape = (tile_count(ref.shape[0], self._tile), tile_count(ref.shape[1], self._tile))
            grow = 1.0 if i == coarsest else 2.0
            candidates = _candidates(flow * grow, model * grow, shape)
            out, cost = np.empty((*shape, 2), np.int64), np.empty(shape, np.float32)
            radius = self._settings.search_px if i == coarsest else min(2, self._settings.search_px)
            penalty = np.float32(_match_penalty(self._tile, i))
            over_rows(loops.match_blocks, shape[0], ref, frame, self._tile, radius, candidates, penalty, out, cost)
            flow = out.astype(np.float64)
            information = np.where((cost < 1e30)[..., None, None], self._level_information[i], 0.0)
            model = whole_frame(flow, information) if flow.shape[0] * flow.shape[1] >= 6 else flow
        start = _resampled(flow, self._tiles) * 2.0 ** min(_MATCH_LEVEL, coarsest)
        return start.astype(np.float32)


def _gradient_sums(image: Floats, tile: int, margin: int) -> Floats:
    """Return (nty, ntx, 4): sums of gy gy, gy gx, gx gx over each tile and `margin` pixels around it, and the number of pixels."""
    sums = np.zeros((tile_count(image.shape[0], tile), tile_count(image.shape[1], tile), 4), np.float32)
    over_rows(loops.tile_hessians, sums.shape[0], image, tile, margin, sums)
    return sums


def _match_penalty(tile: int, level: int) -> float:
    """Return three standard deviations of a tile's mean absolute difference in pure noise."""
    variance, _ = noise_gain(level)
    return 3.0 * float(np.sqrt(2 * variance * (1 - 2 / np.pi) * 4.0)) / tile


def _resampled(flow: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Resample the flow to another grid of tiles over the same frame, nearest neighbour."""
    rows = np.minimum((np.arange(shape[0]) + 0.5) * flow.shape[0] / shape[0], flow.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(shape[1]) + 0.5) * flow.shape[1] / shape[1], flow.shape[1] - 1).astype(int)
    return np.asarray(flow[np.ix_(rows, columns)])


def _candidates(flow: NDArray[np.float64], model: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return (n, nty, ntx, 2) candidate integer shifts per tile: the global motion, the coarser level's motion of the tile and of its four neighbours."""
    padded = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode="edge")
    views = [model, flow, padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return np.rint(np.stack([_resampled(v, shape) for v in views])).astype(np.int64)


def sharpness(frames: Sequence[Frame], noise: Noise) -> NDArray[np.float64]:
    """Return the relative sharpness of each frame, (n,), 1 = typical: squared gradients over the median of all frames, weighted median over tiles.

    Evaluated on the centre half of the stabilised luma image (small frames: on all of it), with the noise's contribution subtracted. The median ignores a
    bright outlier in one frame (a satellite, a bird), which a mean would take for sharpness.
    """
    gradients = np.stack([_gradient_energy(frame, noise) for frame in frames])
    typical = np.median(gradients, axis=0)
    weight = np.sqrt(np.maximum(typical, 0.0))
    if not weight.any():
        return np.ones(len(frames))
    ratio = gradients[:, weight > 0] / typical[weight > 0]
    return np.array([weighted_median(r, weight[weight > 0]) for r in ratio])


def _gradient_energy(frame: Frame, noise: Noise) -> NDArray[np.float64]:
    height, width = frame.info.shape
    top, left = (0, 0) if height * width <= _SMALL_FRAME else (height // 4, width // 4)
    centre = luma(frame, noise, slice(top, height - top), slice(left, width - left))
    sums = _gradient_sums(centre, _SHARPNESS_TILE_PX, 0).reshape(-1, 4).astype(np.float64)
    return np.asarray((sums[:, 0] + sums[:, 2]) / np.maximum(sums[:, 3], 1.0) - 2 * noise_gain(0)[1])


def select_reference(burst: Burst, noise: Noise) -> int:
    """Return the index of the sharpest frame; among frames within 2 % of the best the one nearest the middle of the burst, which minimises motion."""
    scores = sharpness(burst.frames, noise)
    near = np.flatnonzero(scores >= scores.max() - 0.02 * abs(scores.max())).tolist()
    return int(min(near, key=lambda i: (abs(i - (len(burst) - 1) / 2), i)))
