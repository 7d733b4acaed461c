"""Detection of contradictions between frames: samples that no single image explains, even with a small motion error."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.limits import at_least
from burstsr.reconstruct.data import TileData

Floats = NDArray[np.float32]
FEWEST_CELLS = 4  # of a tile: fewer contradict each other by chance (noise)
_STEEPEST = 4.0  # limit of squared gradients relative to the merged image's: ringing is steeper than real detail


def excess(data: TileData, image: Floats, error_px: float) -> list[Floats]:
    """Return, per view, the mean squared residual around each cell, (m, n), relative to that expected from noise and a motion error of `error_px`."""
    steep = data.steepness_of(image, np.float32(_STEEPEST))
    expected = [1 + np.float32(error_px**2) * steep * precision for precision in data.relative_precision]
    return [np.asarray(m / e, np.float32) for m, e in zip(data.misfits(image), expected, strict=True)]


def contradicted(data: TileData, weights: Sequence[Floats], image: Floats, error_px: float, limits: tuple[float, float], *, by_first: bool = False) -> Floats:
    """Return the degree of contradiction, (m, n) from 0 to 1, of each cell of the tile, margins excluded: weighted mean excess relative to the limits.

    by_first: no more than the first view alone contradicts the image; where it does not cover a cell, the others decide.
    """
    each = excess(data, image, error_px)
    misfit = mean_misfit(each, weights)
    if by_first:
        misfit = np.where(np.isfinite(each[0]), np.minimum(misfit, each[0]), misfit)
    contradiction = rising(misfit, *limits) * data.own_cells
    return np.asarray(cv2.blur(cv2.dilate(contradiction, np.ones((5, 5), np.uint8)), (3, 3)), np.float32)


def mean_misfit(misfits: Sequence[Floats], weights: Sequence[Floats]) -> Floats:
    """Return the weighted mean over the views that cover a cell."""
    total, weight = (np.zeros_like(weights[0]) for _ in range(2))
    for m, w in zip(misfits, weights, strict=True):
        valid = np.isfinite(m)
        total[valid] += w[valid] * m[valid]
        weight[valid] += w[valid]
    return np.asarray(total / at_least(weight, 1e-6), np.float32)


def falling(value: Floats, low: float, high: float) -> Floats:
    """Return 1 below low, 0 above high, linear between."""
    return np.asarray(np.clip((np.float32(high) - value) / np.float32(high - low), 0, 1), np.float32)


def rising(value: Floats, low: float, high: float) -> Floats:
    """Return 0 below low, 1 above high, linear between."""
    return np.asarray(np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1), np.float32)
