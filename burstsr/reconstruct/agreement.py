"""Where frames contradict each other: an image cannot explain the samples of all of them, even if motion is known to a fraction of a pixel only."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.reconstruct.data import TileData

Floats = NDArray[np.float32]
FEWEST_CELLS = 4  # of a tile: fewer contradict each other by chance
_STEEPEST = 4.0  # squared gradients, over those of the merged image, that true detail may have: what rings is steeper


def excess(data: TileData, image: Floats, error_px: float) -> list[Floats]:
    """Per view, (m, n) mean squared residual around each cell over what noise and motion that is wrong by `error_px` leave of it."""
    steep = data.steepness_of(image, np.float32(_STEEPEST))
    usual = 1 + np.float32(error_px**2) * steep
    return [np.asarray(m / usual, np.float32) for m in data.misfits(image)]


def contradicted(data: TileData, weights: Sequence[Floats], image: Floats, error_px: float, limits: tuple[float, float]) -> Floats:
    """(m, n) from 0 to 1 for each cell of the tile, its margins left out: where the excess, mean over views by weight, lies above the limits."""
    doubtful = rising(mean_misfit(excess(data, image, error_px), weights), *limits) * data.own_cells
    return np.asarray(cv2.blur(cv2.dilate(doubtful, np.ones((5, 5), np.uint8)), (3, 3)), np.float32)


def mean_misfit(misfits: Sequence[Floats], weights: Sequence[Floats]) -> Floats:
    """Mean over views by weight, where they show anything."""
    total, weight = (np.zeros_like(weights[0]) for _ in range(2))
    for m, w in zip(misfits, weights, strict=True):
        seen = np.isfinite(m)
        total[seen] += w[seen] * m[seen]
        weight[seen] += w[seen]
    return np.asarray(total / np.maximum(weight, np.float32(1e-6)), np.float32)


def falling(value: Floats, low: float, high: float) -> Floats:
    """1 up to low, 0 from high on."""
    return np.asarray(np.clip((np.float32(high) - value) / np.float32(high - low), 0, 1), np.float32)


def rising(value: Floats, low: float, high: float) -> Floats:
    """0 up to low, 1 from high on."""
    return np.asarray(np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1), np.float32)
