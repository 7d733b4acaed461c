"""Refinement of motion against the reconstruction, with cross-validation (Lecouat et al. 2021 alternate in the same way)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.mono import sample_channels
from burstsr.core.noise import Noise
from burstsr.core.sensor import clipped_samples
from burstsr.reconstruct import flow_refinement_loops

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_AROUND = (5, 5)  # tiles with a common step
_FARTHEST_PX = 0.2  # largest step
_LEAST_GAIN = 0.1  # least reduction of the other half's cost, in noise variances
_PRIOR_PX = 0.015  # prior standard deviation of the remaining motion error


def refined(frame: Frame, flow: Flow, image: Floats, noise: Noise, scale: float, defects: NDArray[np.int64]) -> tuple[Flow, float]:
    """Return the flow of `frame` after one Gauss-Newton step per 5 x 5 tiles, and the share of tiles that accepted it.

    image: (H', W', 3), or (H', W', 1) of monochrome frames, blurred by the lens.
    For cross-validation each step is estimated from either half of the CFA cells, and accepted only if it reduces the
    squared residual of the other half, both times.
    """
    samples = clipped_samples(frame)
    samples[tuple(defects.T)] = np.nan
    inverse = flow.inverse()
    tile = inverse.tile_px
    sums = np.zeros((*inverse.tiles.shape[:2], 2, 5))
    model = (noise.alpha.astype(np.float32), np.maximum(noise.beta, 1e-12).astype(np.float32))
    arguments = (samples, sample_channels(frame), image, np.float32(scale), inverse.tiles, tile, *model, sums)
    over_rows(flow_refinement_loops.normal_sums, samples.shape[0], *arguments, multiple=tile)
    area = _AROUND[0] * _AROUND[1]
    halves = [np.asarray(cv2.blur(np.ascontiguousarray(sums[:, :, k]), _AROUND, borderType=cv2.BORDER_REPLICATE) * area, np.float64) for k in (0, 1)]
    gains = [-_change(halves[1 - k], _step(halves[k])) for k in (0, 1)]
    better = np.minimum(*gains) > _LEAST_GAIN
    step = np.clip(_step(halves[0] + halves[1]), -_FARTHEST_PX, _FARTHEST_PX) * better[..., None]
    return Flow((inverse.tiles + step).astype(np.float32), tile, flow.error_px).inverse(), float(better.mean())


def _step(sums: Doubles) -> Doubles:
    """Return the step (dy, dx), (..., 2), that minimises the squared residual plus the prior: H d = g."""
    prior = 1 / _PRIOR_PX**2
    yy, yx, xx, gy, gx = np.moveaxis(sums, -1, 0)
    yy, xx = yy + prior, xx + prior
    determinant = yy * xx - yx * yx
    return np.stack([(xx * gy - yx * gx) / determinant, (yy * gx - yx * gy) / determinant], axis=-1)


def _change(sums: Doubles, step: Doubles) -> Doubles:
    """Return the change of half the squared residual by a step: d H d / 2 - g d."""
    yy, yx, xx, gy, gx = np.moveaxis(sums, -1, 0)
    dy, dx = np.moveaxis(step, -1, 0)
    return np.asarray(0.5 * (yy * dy * dy + 2 * yx * dy * dx + xx * dx * dx) - gy * dy - gx * dx)
