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

_BOX = (3, 3)
_EROSION = np.ones((5, 5), np.uint8)


class Guide:
    """The reference as robustness sees it: local means and variances of its half-size RGB."""

    def __init__(self, reference: Frame, noise: Noise, settings: RobustnessSettings) -> None:
        self._settings = settings
        guide = quads(reference)
        self._mean = _local_mean(guide)
        self._variance = np.maximum(_local_mean(guide * guide) - self._mean * self._mean, 0.0)
        levels = reference.info.levels
        self._curves = noise_curves(noise, float(-(levels.black * levels.scale()).min()))

    def trust_of(self, frame: Frame, flow: Flow) -> NDArray[np.float32]:
        """(H/2, W/2) float32 trust, 0 to 1, of what `frame` shows of the reference's quads; 0 where it shows nothing of them."""
        s = self._settings
        height, width, _ = self._mean.shape
        out = np.empty((height, width), np.float32)
        spread = _flow_spread(flow.tiles)
        factor = np.where(spread > s.flow_variation_px, s.s_moving, s.s_still).astype(np.float32)
        threshold = np.float32(s.threshold)
        if not s.enabled:
            threshold = np.float32(-1.0)  # R = clip(S exp(...) + 1, 0, 1) = 1 wherever the frame shows the place
        over_rows(
            loops.trust_rows,
            out.shape[0],
            self._mean,
            self._variance,
            _local_mean(quads(frame)),
            flow.tiles,
            flow.tile_px,
            factor,
            threshold,
            *self._curves,
            out,
        )
        return np.asarray(cv2.erode(out, _EROSION, borderType=cv2.BORDER_REPLICATE), np.float32) if s.enabled else out


def _local_mean(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.boxFilter(picture, -1, _BOX, borderType=cv2.BORDER_REPLICATE), np.float32)


def _flow_spread(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """(nty, ntx) largest spread of the flow in 3 x 3 tiles, raw pixels, motion of the whole frame's rotation included."""
    ones = np.ones((3, 3), np.uint8)
    spread = [cv2.dilate(np.ascontiguousarray(tiles[..., k]), ones) - cv2.erode(np.ascontiguousarray(tiles[..., k]), ones) for k in (0, 1)]
    return np.asarray(np.hypot(spread[0], spread[1]))
