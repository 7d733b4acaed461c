"""Robustness in plain NumPy (Wronski 2019, section 5.2). `loops.py` must agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.ground.flow import Flow

Array = NDArray[np.float64]
MOST, UNSEEN = 10.0, -1.0


def mismatch_rows(
    first: int,
    last: int,
    ref_mean: Array,
    ref_variance: Array,
    mean: Array,
    flow: NDArray[np.float32],
    tile: int,
    curve_variance: Array,
    curve_difference: Array,
    out: Array,
) -> None:
    """d^2 / sigma^2, at most MOST; UNSEEN where the frame does not show the place."""
    height, width = ref_mean.shape[:2]
    y, x = np.mgrid[first:last, :width]
    shift = Flow(flow, tile).at(2 * y + 0.5, 2 * x + 0.5)
    qy, qx = y + 0.5 * shift[..., 0], x + 0.5 * shift[..., 1]
    seen = (qy > -0.5) & (qx > -0.5) & (qy < height - 0.5) & (qx < width - 0.5)
    warped = _bilinear(mean, np.clip(qy, 0, height - 1), np.clip(qx, 0, width - 1))
    steps = curve_variance.shape[1] - 1
    index = np.clip((ref_mean[first:last] * steps + 0.5).astype(int), 0, steps)
    channel = np.arange(3)
    d = ref_mean[first:last] - warped
    d = d * d**2 / (d**2 + curve_difference[channel, index] + 1e-20)
    sigma2 = np.maximum(ref_variance[first:last], curve_variance[channel, index]).sum(-1)
    out[first:last] = np.where(seen, np.minimum((d**2).sum(-1) / (sigma2 + 1e-20), MOST), UNSEEN)


def _bilinear(picture: Array, y: Array, x: Array) -> Array:
    i, j = (np.minimum(v.astype(int), n - 2) if n > 1 else np.zeros(v.shape, int) for v, n in ((y, picture.shape[0]), (x, picture.shape[1])))
    i1, j1 = np.minimum(i + 1, picture.shape[0] - 1), np.minimum(j + 1, picture.shape[1] - 1)
    v, u = (y - i)[..., None], (x - j)[..., None]
    return np.asarray((1 - v) * ((1 - u) * picture[i, j] + u * picture[i, j1]) + v * ((1 - u) * picture[i1, j] + u * picture[i1, j1]))
