"""How far to believe each part of an aligned frame (Wronski 2019, section 5.2)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import Frame
from burstsr.ground.compiled import over_rows
from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.ground.sensor import quads
from burstsr.robustness import loops
from burstsr.robustness.noise_curves import noise_curves
from burstsr.settings import RobustnessSettings

Floats = NDArray[np.float32]
_AROUND = 9  # quads along the square over which mismatch is averaged
_EROSION = np.ones((3, 3), np.uint8)


class Guide:
    """The reference as robustness sees it: local means and variances of its half-size RGB."""

    def __init__(self, reference: Frame, noise: Noise, settings: RobustnessSettings) -> None:
        self._settings = settings
        guide = quads(reference)
        self._mean = _local_mean(guide)
        self._variance = np.maximum(_local_mean(guide * guide) - self._mean * self._mean, 0.0)
        levels = reference.info.levels
        self._curves = noise_curves(noise, float(-(levels.black * levels.scale()).min()))

    def trust_of(self, frame: Frame, flow: Flow) -> Floats:
        """(H/2, W/2) float32 trust, 0 to 1, of what `frame` shows of the reference's quads; 0 where it shows nothing of them.

        R = clip(S exp(-m / tolerance) - t, 0, 1), eroded, with m the mean mismatch around: many small mismatches make a mover, a single one is alias.
        Departs: Wronski 2019 takes exp(-mismatch) per quad and the minimum over 5 x 5, which both lets movers through on texture and stops at alias.
        """
        s = self._settings
        height, width, _ = self._mean.shape
        mismatch = np.empty((height, width), np.float32)
        reference = (self._mean, self._variance)
        over_rows(loops.mismatch_rows, height, *reference, _local_mean(quads(frame)), flow.tiles, flow.tile_px, *self._curves, mismatch)
        seen = np.where(mismatch == loops.UNSEEN, np.float32(0), np.float32(1))
        if not s.enabled:
            return seen
        around = _box(mismatch * seen, _AROUND) / np.maximum(_box(seen, _AROUND), np.float32(1e-6))
        spread = _per_quad(_flow_spread(flow.tiles), flow.tile_px, (height, width))
        factor = np.where(spread > s.flow_variation_px, np.float32(s.s_moving), np.float32(s.s_still))
        trust = np.clip(factor * np.exp(around / np.float32(-s.tolerance)) - np.float32(s.threshold), 0, 1)
        return np.asarray(cv2.erode(trust, _EROSION, borderType=cv2.BORDER_REPLICATE) * seen, np.float32)


def _local_mean(picture: Floats) -> Floats:
    return _box(picture, 3)


def _box(picture: Floats, side: int) -> Floats:
    return np.asarray(cv2.boxFilter(picture, -1, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)


def _per_quad(tiles: Floats, tile_px: int, shape: tuple[int, int]) -> Floats:
    """Each quad's tile's value."""
    rows, columns = (np.minimum(2 * np.arange(n) // tile_px, count - 1) for n, count in zip(shape, tiles.shape, strict=True))
    return tiles[np.ix_(rows, columns)]


def _flow_spread(tiles: Floats) -> Floats:
    """(nty, ntx) largest spread of the flow in 3 x 3 tiles, raw pixels, motion of the whole frame's rotation included."""
    ones = np.ones((3, 3), np.uint8)
    spread = [cv2.dilate(np.ascontiguousarray(tiles[..., k]), ones) - cv2.erode(np.ascontiguousarray(tiles[..., k]), ones) for k in (0, 1)]
    return np.asarray(np.hypot(spread[0], spread[1]))
