"""Robustness in plain NumPy (Wronski 2019, section 5.2). The oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from burstsr.core import naive as core_naive
from burstsr.core.flow import Flow

Array = NDArray[np.float64]
Mosaic = NDArray[np.uint16]
Field = Array | None
MOST, UNSEEN = 10.0, -1.0


def mean_rows(first: int, last: int, mosaic: Mosaic, black: Array, scale: Array, red: int, out: Array) -> None:
    """Compute 3 x 3 means of CFA cells, as planes."""
    out[:, first:last] = _neighbourhoods(_cells(mosaic, black, scale, red), 3).mean((-2, -1))[:, first:last]


def guide_rows(
    first: int, last: int, mosaic: Mosaic, black: Array, scale: Array, red: int, curve_variance: Array, mean: Array, sigma2: Array, field: Field = None
) -> None:
    """Compute 3 x 3 means, and the sum over channels of max(variance, noise variance at the mean)."""
    neighbourhoods = _neighbourhoods(_cells(mosaic, black, scale, red), 3)
    means, variances = neighbourhoods.mean((-2, -1)), neighbourhoods.var((-2, -1))
    mean[:, first:last] = means[:, first:last]
    sigma2[first:last] = np.maximum(variances, _at_level(curve_variance, means, field)).sum(0)[first:last]


def mismatch_rows(
    first: int,
    last: int,
    ref_mean: Array,
    sigma2: Array,
    mean: Array,
    flow: NDArray[np.float32],
    tile: int,
    curve_difference: Array,
    out: Array,
    field: Field = None,
) -> None:
    """Compute d^2 / sigma^2, at most MOST; UNSEEN outside the frame."""
    height, width = out.shape
    y, x = np.mgrid[first:last, :width]
    shift = Flow(flow, tile).at(2 * y + 0.5, 2 * x + 0.5)
    qy, qx = y + 0.5 * shift[..., 0], x + 0.5 * shift[..., 1]
    valid = (qy > -0.5) & (qx > -0.5) & (qy < height - 0.5) & (qx < width - 0.5)
    warped = np.stack([_bilinear(plane, np.clip(qy, 0, height - 1), np.clip(qx, 0, width - 1)) for plane in mean])
    d = ref_mean[:, first:last] - warped
    d = d * d**2 / (d**2 + _at_level(curve_difference, ref_mean, field)[:, first:last] + 1e-20)
    out[first:last] = np.where(valid, np.minimum((d**2).sum(0) / (sigma2[first:last] + 1e-20), MOST), UNSEEN)


def limit_rows(
    first: int, last: int, ref_mean: Array, sigma2: Array, curve_difference: Array, noise_times: float, structure_times: float, out: Array, field: Field = None
) -> None:
    """Compute (noise_times n + structure_times max(sigma^2 - 4.5 n, 0)) / sigma^2, n the variance of d by noise alone."""
    noise = _at_level(curve_difference, ref_mean, field).sum(0)
    limit = (noise_times * noise + structure_times * np.maximum(sigma2 - 4.5 * noise, 0)) / (sigma2 + 1e-20)
    out[first:last] = np.minimum(limit, 0.99 * MOST)[first:last]


def vote_rows(first: int, last: int, mismatch: Array, limit: Array, contradict: NDArray[np.uint16], valid: NDArray[np.uint16]) -> None:
    """Count frames whose mismatch exceeds the limit, and frames that cover the cell."""
    contradict[first:last] += (mismatch > limit)[first:last]
    valid[first:last] += (mismatch != UNSEEN)[first:last]


def statistics_at(first: int, last: int, position: Array, mosaic: Mosaic, black: Array, scale: Array, red: int, curve_variance: Array, out: Array) -> None:
    """Compute 3 x 3 means at positions, bilinear, and sigma^2 of the nearest cell; NaN outside."""
    h, w = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    mean, sigma2 = np.empty((3, h, w)), np.empty((h, w))
    guide_rows(0, h, mosaic, black, scale, red, curve_variance, mean, sigma2)
    y, x = position[first:last].astype(np.float64).T
    inside = (y > -0.5) & (x > -0.5) & (y < h - 0.5) & (x < w - 0.5)
    y, x = np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)
    near = np.floor(y + 0.5).astype(int), np.floor(x + 0.5).astype(int)
    out[:, first:last] = np.where(inside, np.stack([*(_bilinear(plane, y, x) for plane in mean), sigma2[near]]), np.nan)


def robustness_rows(first: int, last: int, mismatch: Array, side: int, factor: Array, tile: int, tolerance: float, threshold: float, out: Array) -> None:
    """Compute clip(S exp(-m / tolerance) - t, 0, 1), eroded; 0 where UNSEEN."""
    valid = (mismatch != UNSEEN).astype(np.float64)
    m = _neighbourhoods(mismatch * valid, side).sum((-2, -1)) / np.maximum(_neighbourhoods(valid, side).sum((-2, -1)), 1e-6)
    rows, columns = (np.minimum(2 * np.arange(n) // tile, count - 1) for n, count in zip(out.shape, factor.shape, strict=True))
    robustness = np.clip(factor[np.ix_(rows, columns)] * np.exp(-m / tolerance) - threshold, 0, 1)
    out[first:last] = (_neighbourhoods(robustness, 3).min((-2, -1)) * valid)[first:last]


def _cells(mosaic: Mosaic, black: Array, scale: Array, red: int) -> Array:
    cells = np.empty((mosaic.shape[0] // 2, mosaic.shape[1] // 2, 3))
    repeats = (1, mosaic.shape[1] // 2 + 1)
    black, scale = np.tile(black, repeats)[:, : mosaic.shape[1]], np.tile(scale, repeats)[:, : mosaic.shape[1]]
    core_naive.cell_rows(0, len(cells), mosaic, black, scale, red, cells)
    return np.moveaxis(cells, -1, 0)


def _neighbourhoods(image: Array, side: int) -> Array:
    """Return (..., h, w, side, side): the neighbourhood of each pixel, borders replicated."""
    padded = np.pad(image, [(0, 0)] * (image.ndim - 2) + [(side // 2, side // 2)] * 2, mode="edge")
    return np.asarray(sliding_window_view(padded, (side, side), axis=(-2, -1)))


def _at_level(curve: Array, level: Array, field: Field) -> Array:
    """Return the noise variance at each level of planes (3, ...) from a curve (3, n); under a gain g it is g^2 times that at level / g."""
    if field is not None:
        return np.asarray(field**2 * _at_level(curve, level / field, None))
    steps = curve.shape[1] - 1
    index = np.clip((level * steps + 0.5).astype(int), 0, steps)
    return np.stack([values[k] for values, k in zip(curve, index, strict=True)])


def _bilinear(image: Array, y: Array, x: Array) -> Array:
    i, j = (np.minimum(v.astype(int), n - 2) if n > 1 else np.zeros(v.shape, int) for v, n in ((y, image.shape[0]), (x, image.shape[1])))
    i1, j1 = np.minimum(i + 1, image.shape[0] - 1), np.minimum(j + 1, image.shape[1] - 1)
    v, u = y - i, x - j
    return np.asarray((1 - v) * ((1 - u) * image[i, j] + u * image[i, j1]) + v * ((1 - u) * image[i1, j] + u * image[i1, j1]))
