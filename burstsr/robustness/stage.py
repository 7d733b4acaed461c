"""Robustness of aligned frames: per-pixel agreement with the reference (Wronski 2019, section 5.2)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import red_site, site_rows
from burstsr.robustness import loops, statistics_loops
from burstsr.robustness.noise_curves import noise_curves
from burstsr.settings import RobustnessSettings

Floats = NDArray[np.float32]
MIN_ROBUSTNESS = 0.05  # frames with a lower mean are not used
_STILL_PX = 1e-3  # raw pixels: rounding error of zero motion
_AROUND = 9  # CFA cells along the side of the square over which mismatch is averaged
_JUMP = 0.5  # spread of flow over 3 x 3 tiles, in tile sizes, beyond which interpolated motion is invalid
_NOISE_TIMES = 5.0  # a squared difference of 3 x 3 means contradicts the reference above this many noise variances
_STRUCTURE_TIMES = 0.05  # plus this share of the local variance of structure (misalignment, aliasing)


class RobustnessModel:
    """Local statistics of the reference's half-size RGB, with which frames are compared.

    contradicting, seeing: (H/2, W/2) uint16 counts over the frames passed to `robustness_map`: those that contradict the reference at a CFA cell,
    and those that cover the cell.
    """

    def __init__(self, reference: Frame, noise: Noise, settings: RobustnessSettings) -> None:
        self._reference = reference
        self._settings = settings
        reference = as_bayer(reference)
        mosaic, levels = reference.mosaic, reference.info.levels
        self._variance, self._difference = noise_curves(noise, float(-(levels.black * levels.scale()).min()))
        shape = (mosaic.shape[0] // 2, mosaic.shape[1] // 2)
        self._field = reference.info.gain.cells(reference.info.shape) if reference.info.gain else None
        self.mean, self._sigma2 = np.empty((3, *shape), np.float32), np.empty(shape, np.float32)
        self._spare: list[tuple[Floats, Floats]] = []  # buffers for means and mismatch, for reuse
        over_rows(
            statistics_loops.guide_rows, shape[0], mosaic, *site_rows(levels, 2), red_site(reference), self._variance, self.mean, self._sigma2, self._field
        )
        self._limit = np.empty(shape, np.float32)
        times = (np.float32(_NOISE_TIMES), np.float32(_STRUCTURE_TIMES))
        over_rows(loops.limit_rows, shape[0], self.mean, self._sigma2, self._difference, *times, self._limit, self._field)
        self.contradicting, self.covering = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)

    def robustness_map(self, frame: Frame, flow: Flow) -> Floats:
        """Return the robustness, (H/2, W/2) float32, 0 to 1, of `frame` at the reference's CFA cells; 0 where the frame does not cover them.

        R = clip(S exp(-m / mismatch_scale) - t, 0, 1), eroded. m: local mean mismatch; many moderate mismatches indicate motion, an isolated one aliasing.
        Departs: Wronski 2019 takes exp(-mismatch) per cell and the minimum over 5 x 5, which misses motion on texture and rejects aliased samples.
        """
        if frame is self._reference and np.abs(flow.tiles).max() < _STILL_PX:  # full robustness; it is not counted among the frames
            return np.ones_like(self._sigma2)
        s = self._settings
        frame, height = as_bayer(frame), self._sigma2.shape[0]
        try:
            mean, mismatch = self._spare.pop()
        except IndexError:
            mean, mismatch = np.empty_like(self.mean), np.empty_like(self._sigma2)
        over_rows(statistics_loops.mean_rows, height, frame.mosaic, *site_rows(frame.info.levels, 2), red_site(frame), mean)
        over_rows(loops.mismatch_rows, height, self.mean, self._sigma2, mean, flow.tiles, flow.tile_px, self._difference, mismatch, self._field)
        if s.enabled:
            over_rows(loops.vote_rows, height, mismatch, self._limit, self.contradicting, self.covering)
            robustness = np.empty_like(mismatch)
            factor = self._strictness(flow)
            values = (factor, flow.tile_px, np.float32(s.mismatch_scale), np.float32(s.threshold))
            over_rows(loops.robustness_rows, height, mismatch, _AROUND, *values, robustness)
        else:
            robustness = np.where(mismatch == loops.UNSEEN, np.float32(0), np.float32(1))
        self._spare.append((mean, mismatch))
        return robustness

    def _strictness(self, flow: Flow) -> Floats:
        """Return S of each tile, (nty, ntx): s2 where the flow is smooth, s1 where it varies, 0 at motion boundaries, where interpolated flow is invalid."""
        spread, s = _flow_spread(flow.tiles), self._settings
        factor = np.where(spread > s.flow_variation_px, np.float32(s.s1), np.float32(s.s2))
        return np.asarray(np.where(spread > _JUMP * flow.tile_px, np.float32(0), factor))

    def shown(self, frame: Frame, flow: Flow, at: NDArray[np.int64]) -> Floats:
        """Return statistics (4, n) of `frame` at the reference's CFA cells `at` (n, 2), NaN outside.

        Means over 3 x 3 cells of R, G, B; sum over channels of the local variance, at least that of noise.
        """
        out = np.empty((4, len(at)), np.float32)
        position = at + 0.5 * flow.at(2 * at[:, 0] + 0.5, 2 * at[:, 1] + 0.5)
        frame = as_bayer(frame)
        levels = site_rows(frame.info.levels, 2)
        over_rows(
            statistics_loops.statistics_at, len(at), np.ascontiguousarray(position, np.float32), frame.mosaic, *levels, red_site(frame), self._variance, out
        )
        return out


def _flow_spread(tiles: Floats) -> Floats:
    """Return the largest spread of the flow over 3 x 3 tiles, (nty, ntx) raw pixels, including that of a global rotation."""
    ones = np.ones((3, 3), np.uint8)
    spread = [cv2.dilate(np.ascontiguousarray(tiles[..., k]), ones) - cv2.erode(np.ascontiguousarray(tiles[..., k]), ones) for k in (0, 1)]
    return np.asarray(np.hypot(spread[0], spread[1]))
