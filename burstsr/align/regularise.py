"""Regularisation of tile motion: tiles with little structure are drawn towards the global motion and their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.align import motion_loops
from burstsr.align.fisher import weighted_median
from burstsr.align.global_motion import fit_affine

Array = NDArray[np.float64]


def tile_positions(shape: tuple[int, int]) -> Array:
    """Return the (nty, ntx, 2) tile centres, -1 to 1 along the longer axis."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    size = max(*shape, 2) - 1
    return np.stack([(2 * y - shape[0] + 1) / size, (2 * x - shape[1] + 1) / size], axis=-1)


def whole_frame(flow: Array, information: Array) -> Array:
    """Return the affine global motion at every tile, (nty, ntx, 2), robust against moving objects.

    flow (nty, ntx, 2), information (nty, ntx, 2, 2).
    """
    position = tile_positions((flow.shape[0], flow.shape[1]))
    coefficients, _ = fit_affine(position.reshape(-1, 2), flow.reshape(-1, 2), information.reshape(-1, 2, 2))
    return np.asarray(coefficients[0] + position @ coefficients[1:])


def regularise_deviation(residual: Array, information: Array, strength: float, sweeps: int = 60) -> Array:
    """Return the maximum a posteriori field of the tiles' deviations from the global motion, (nty, ntx, 2).

    Minimises  sum_t (r_t - d_t)^T I_t (r_t - d_t) + a sum_<ts> |r_t - r_s|^2 + b sum_t |r_t|^2  by Jacobi iteration. a and b are estimated from the data:
    the covariance of neighbouring tiles' deviations is signal; the rest of their variance is measurement error (aliasing, noise), which also rescales
    the information. residual (nty, ntx, 2), information (nty, ntx, 2, 2); `strength` multiplies a and b.
    """
    if strength <= 0:
        return residual
    size = np.sqrt(np.maximum(np.einsum("yxa,yxab,yxb->yx", residual, information, residual), 0.0))
    trace = np.einsum("yxaa->yx", information)
    good = (size <= 3.0 * max(weighted_median(size, trace), 1e-9)) & (trace > 0)
    signal, error = _variances(residual, good, information)
    scaled = information / error
    floor = 1e-4**2
    neighbour = strength * 2.0 / max(signal, floor)
    towards_zero = strength * 0.1 / max(signal, floor)
    data = np.where(good[..., None, None], scaled, 0.0)
    right = np.einsum("yxab,yxb->yxa", data, residual)
    degree = np.full(good.shape, 4.0)
    degree[[0, -1]] -= 1
    degree[:, [0, -1]] -= 1
    inverse = np.linalg.inv(data + (neighbour * degree + towards_zero)[..., None, None] * np.eye(2))
    base = np.moveaxis(np.einsum("yxab,yxb->yxa", inverse, right), -1, 0)
    coupling = neighbour * np.stack([inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 1]])
    field = np.zeros((2, good.shape[0] + 2, good.shape[1] + 2), np.float32)
    motion_loops.relax(np.ascontiguousarray(base, np.float32), coupling.astype(np.float32), sweeps, field)
    return np.moveaxis(field[:, 1:-1, 1:-1], 0, -1).astype(np.float64)


def _variances(residual: Array, good: NDArray[np.bool_], information: Array) -> tuple[float, float]:
    """Return the variance of the true deviation per axis, px^2, and the ratio of the tiles' error variance to that predicted by their information."""
    # weighted by a proxy of the smaller eigenvalue, so that tiles without structure do not dominate
    determinant = information[..., 0, 0] * information[..., 1, 1] - information[..., 0, 1] ** 2
    quality = np.where(good, determinant / np.maximum(information[..., 0, 0] + information[..., 1, 1], 1e-12), 0.0)
    quality = np.minimum(quality, np.quantile(quality, 0.9)) if quality.size else quality
    weights = [quality[2:] * quality[:-2], quality[:, 2:] * quality[:, :-2]]  # two tiles apart: their windows do not overlap
    products = [(residual[2:] * residual[:-2]).sum(-1) / 2, (residual[:, 2:] * residual[:, :-2]).sum(-1) / 2]
    total = sum(float(w.sum()) for w in weights)
    signal = sum(float((w * p).sum()) for w, p in zip(weights, products, strict=True)) / total if total > 0 else 0.0
    signal = max(signal, 0.0)
    squared = np.einsum("yxa,yxab,yxb->yx", residual, information, residual)
    spread = np.einsum("yxaa->yx", information) * signal
    excess = np.where(good, np.maximum(squared - spread, 0.1 * squared) / 2, np.nan)
    error = float(np.nanmean(excess)) if good.any() else 1.0
    return signal, max(error, 1e-3)
