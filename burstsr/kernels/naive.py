"""Merge kernels in plain NumPy (Wronski 2019, section 5.1.2, and supplement). The oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def tensor_rows(first: int, last: int, cells: Array, base: int, out: Array) -> None:
    """Compute the mean of grad grad^T, as (yy, yx, xx), over the corners of each cell."""
    q = np.pad(cells.astype(np.float64), 1, mode="edge")
    gy = 0.5 * (q[1:, :-1] + q[1:, 1:] - q[:-1, :-1] - q[:-1, 1:])
    gx = 0.5 * (q[:-1, 1:] + q[1:, 1:] - q[:-1, :-1] - q[1:, :-1])
    products = np.stack([gy * gy, gy * gx, gx * gx], axis=-1)
    mean = (products[1:, 1:] + products[1:, :-1] + products[:-1, 1:] + products[:-1, :-1]) / 4
    out[first - base : last - base] = mean[first:last]


def inverse_covariances(
    first: int,
    last: int,
    tensor: Array,
    k_detail: float,
    k_denoise: float,
    d_threshold: float,
    d_transition: float,
    k_stretch: float,
    k_shrink: float,
    out: Array,
) -> None:
    """Compute Omega^-1 = k1^-2 e1 e1^T + k2^-2 e2 e2^T per cell, as (yy, yx, xx)."""
    t = tensor[first:last].astype(np.float64)
    matrices = np.stack([t[..., [0, 1]], t[..., [1, 2]]], axis=-2)
    lambdas, e = np.linalg.eigh(matrices)
    l2, l1 = np.maximum(lambdas[..., 0], 0.0), lambdas[..., 1]
    A = 1 + np.sqrt((l1 - l2) / (l1 + l2 + 1e-12))
    D = np.clip(1 - np.sqrt(l1) / d_transition + d_threshold, 0, 1)
    edge = np.clip((A - 1.85) * 10, 0, 1)
    k_along = k_detail * ((1 - D) * (1 + edge * (k_stretch - 1)) + D * k_denoise)
    k_across = k_detail * ((1 - D) * (1 + edge * (1 / k_shrink - 1)) + D * k_denoise)
    across, along = e[..., :, 1], e[..., :, 0]  # the eigenvector of the larger eigenvalue points across the edge
    inverse = _outer(across) / k_across[..., None, None] ** 2 + _outer(along) / k_along[..., None, None] ** 2
    out[first:last] = np.stack([inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 1]], axis=-1)


def kernel_rows(
    first: int,
    last: int,
    cells: Array,
    k_detail: float,
    k_denoise: float,
    d_threshold: float,
    d_transition: float,
    k_stretch: float,
    k_shrink: float,
    out: Array,
) -> None:
    """Compute Omega^-1 per cell."""
    tensor = np.empty((*cells.shape, 3))
    tensor_rows(first, last, cells, 0, tensor)
    inverse_covariances(first, last, tensor, k_detail, k_denoise, d_threshold, d_transition, k_stretch, k_shrink, out)


def _outer(v: Array) -> Array:
    return np.asarray(v[..., :, None] * v[..., None, :])
