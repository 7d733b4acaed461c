"""The dense refinement in plain NumPy. The oracle of `dense_loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.align.naive import cubic, gradients
from burstsr.core.flow import Flow

Array = NDArray[np.float64]
UNEVEN_PX = 0.08


def residual_sums(
    first: int,
    last: int,
    ref: Array,
    frame: Array,
    gain: float,
    cell: int,
    field: Array,
    noise: float,
    alias: float,
    active: NDArray[np.uint8],
    out: Array,
) -> None:
    """Compute sums over each cell's valid pixels: w gy gy, w gy gx, w gx gx, w gy e, w gx e, w, rho, and their number."""
    gradient_y, gradient_x = gradients(ref)
    interpolated = Flow(np.asarray(field, np.float32), cell)
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            if not active[ty, tx]:
                continue
            out[ty, tx] = 0
            y, x = _pixels(ref.shape, cell, ty, tx)
            motion = np.broadcast_to(field[ty, tx], (len(y), 2)).astype(np.float64)
            if not _valid(ref.shape, y, x, motion).any():
                continue
            if _uneven(field, ty, tx):
                motion = interpolated.at(y, x)
            valid = _valid(ref.shape, y, x, motion)
            y, x, motion = y[valid], x[valid], motion[valid]
            e = ref[y, x] - gain * np.array([_interpolated(frame, *p) for p in zip(y, x, motion, strict=True)])
            gy, gx = gradient_y[y, x], gradient_x[y, x]
            scale = noise + alias * (gy**2 + gx**2)
            w = (1 + e**2 / scale) ** -2
            rho = e**2 / (1 + e**2 / scale)
            out[ty, tx] = [v.sum() for v in (w * gy * gy, w * gy * gx, w * gx * gx, w * gy * e, w * gx * e, w, rho)] + [len(e)]


def detail_sums(first: int, last: int, image: Array, cell: int, out: Array) -> None:
    """Compute sums over each cell's pixels except the image's outermost: squared halved first and second differences along both axes; number of pixels."""
    x = np.asarray(image, np.float64)
    gradient, curvature, inner = np.zeros((3, *x.shape))
    gradient[1:-1, 1:-1] = (0.5 * (x[2:, 1:-1] - x[:-2, 1:-1])) ** 2 + (0.5 * (x[1:-1, 2:] - x[1:-1, :-2])) ** 2
    curvature[1:-1, 1:-1] = (0.5 * np.diff(x, 2, 0)[:, 1:-1]) ** 2 + (0.5 * np.diff(x, 2, 1)[1:-1]) ** 2
    inner[1:-1, 1:-1] = 1
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            own = _pixels(x.shape, cell, ty, tx)
            out[ty, tx] = gradient[own].sum(), curvature[own].sum(), inner[own].sum()


def cell_equations(
    first: int,
    last: int,
    sums: Array,
    field: Array,
    centre: Array,
    alias: Array,
    gradient: float,
    variance: float,
    significant: float,
    data: Array,
    target: Array,
) -> None:
    """Compute the information I, as yy, yx, xx, about each cell's deviation m from `centre`, and I m: per eigenvalue, with the noise subtracted."""
    data[first:last] = target[first:last] = 0
    for t in np.ndindex(last - first, sums.shape[1]):
        t = (t[0] + first, t[1])
        yy, yx, xx, ye, xe, w, _, pixels = (float(v) for v in sums[t])
        if pixels < 1 or not np.isfinite([yy, yx, xx, ye, xe]).all():
            continue
        values, vectors = np.linalg.eigh([[yy, yx], [yx, xx]])
        noise = w * gradient
        structure = values - noise
        certain = np.maximum(structure - significant * noise / np.sqrt(pixels), 0)
        precision = certain**2 / ((certain + noise + 1e-9) * 2 * variance)
        precision = precision / (1 + precision * alias[t] ** 2)
        step = vectors @ (vectors.T @ [ye, xe] / np.maximum(structure, 0.25 * noise + 1e-9))
        information = vectors @ np.diag(precision) @ vectors.T
        deviation = field[t] + step / max(float(np.hypot(*step)), 1.0) - centre[t]
        data[t] = information[0, 0], information[0, 1], information[1, 1]
        target[t] = information @ deviation


def smoothing_system(data: Array, target: Array, damping: float, scale: float, before: Array) -> tuple[Array, Array]:
    """Return A (2 h w, 2 h w) and b (2 h w,) of the system A d = b that `smooth` solves."""
    height, width = before.shape[:2]
    index = np.arange(height * width).reshape(height, width)
    matrix = np.zeros((index.size, 2, index.size, 2))
    for t, (yy, yx, xx) in zip(index.ravel(), data.reshape(-1, 3), strict=True):
        matrix[t, :, t] += [[yy + damping, yx], [yx, xx + damping]]
    pairs = np.concatenate([np.stack([index[1:], index[:-1]], -1).reshape(-1, 2), np.stack([index[:, 1:], index[:, :-1]], -1).reshape(-1, 2)])
    values = before.reshape(-1, 2).astype(np.float64)
    for t, s in pairs:
        weight = np.eye(2) / (scale**2 + ((values[t] - values[s]) ** 2).sum())
        matrix[t, :, t] += weight
        matrix[s, :, s] += weight
        matrix[t, :, s] -= weight
        matrix[s, :, t] -= weight
    return matrix.reshape(2 * index.size, -1), target.reshape(-1).astype(np.float64)


def smooth(sweeps: int, data: Array, target: Array, damping: float, scale: float, out: Array) -> None:
    """Run Gauss-Seidel sweeps, alternately forwards and backwards, on each cell's two unknowns jointly."""
    matrix, right = smoothing_system(data, target, damping, scale, out)
    d = out.reshape(-1).astype(np.float64)
    cells = range(0, len(d), 2)
    for sweep in range(sweeps):
        for t in cells if sweep % 2 == 0 else reversed(cells):
            own = slice(t, t + 2)
            block = matrix[own, own]
            d[own] = np.linalg.solve(block, right[own] - matrix[own] @ d + block @ d[own])
    out[:] = d.reshape(out.shape)


def _pixels(shape: tuple[int, ...], cell: int, ty: int, tx: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the (n,) rows and columns of a cell's pixels."""
    y, x = np.mgrid[ty * cell : min((ty + 1) * cell, shape[0]), tx * cell : min((tx + 1) * cell, shape[1])]
    return y.ravel(), x.ravel()


def _valid(shape: tuple[int, ...], y: NDArray[np.int64], x: NDArray[np.int64], motion: Array) -> NDArray[np.bool_]:
    """Return (n,) whether the pixels and their interpolation neighbourhood are inside the frame."""
    i, j = (p + np.floor(motion[:, k]) for k, p in enumerate((y, x)))
    return (i >= 1) & (j >= 1) & (i + 2 < shape[0]) & (j + 2 < shape[1])


def _uneven(field: Array, ty: int, tx: int) -> bool:
    """Return whether the flow differs from that of an adjacent cell by more than UNEVEN_PX along an axis."""
    adjacent = [(ty - 1, tx), (ty + 1, tx), (ty, tx - 1), (ty, tx + 1)]
    inside = [t for t in adjacent if 0 <= t[0] < field.shape[0] and 0 <= t[1] < field.shape[1]]
    return any(np.abs(field[t] - field[ty, tx]).max() > UNEVEN_PX for t in inside)


def _interpolated(frame: Array, y: int, x: int, motion: Array) -> float:
    """Return the frame at (y, x) + motion, by cubic convolution."""
    iy, ix = (int(np.floor(v)) for v in motion)
    around = frame[y + iy - 1 : y + iy + 3, x + ix - 1 : x + ix + 3]
    return float(cubic(motion[0] - iy) @ around @ cubic(motion[1] - ix))
