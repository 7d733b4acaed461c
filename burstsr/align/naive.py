"""Alignment in plain NumPy: Wronski 2019, section 5.1; Baker & Matthews 2004, section 3.2. The oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FAR = 3e38


def mean_difference(ref: Array, frame: Array, y0: int, x0: int, tile: int, dy: int, dx: int) -> float:
    """Return the mean |ref(p) - frame(p + d)| over the part of the tile at (y0, x0) inside both frames; FAR if that is less than a quarter."""
    y, x = np.mgrid[y0 : y0 + tile, x0 : x0 + tile]
    valid = (y < ref.shape[0]) & (x < ref.shape[1]) & (y + dy >= 0) & (x + dx >= 0) & (y + dy < ref.shape[0]) & (x + dx < ref.shape[1])
    if 4 * valid.sum() < tile * tile:
        return FAR
    return float(np.abs(ref[y[valid], x[valid]] - frame[y[valid] + dy, x[valid] + dx]).mean())


def match_blocks(
    first: int,
    last: int,
    ref: Array,
    frame: Array,
    tile: int,
    radius: int,
    candidates: NDArray[np.int64],
    penalty: float,
    out: NDArray[np.int64],
    cost: Array,
) -> None:
    """Find the best integer shift per tile: the best candidate, then of its neighbours within `radius`; candidate 0 is preferred by `penalty`."""
    for ty in range(first, last):
        for tx in range(out.shape[1]):

            def value(d: tuple[int, int], ty: int = ty, tx: int = tx) -> float:
                return mean_difference(ref, frame, ty * tile, tx * tile, tile, *d)

            tries = [(int(c[ty, tx, 0]), int(c[ty, tx, 1])) for c in candidates]
            values = [value(tries[0]) - float(penalty), *(value(d) for d in tries[1:])]
            best = int(np.argmin(values))
            oy, ox = tries[best]
            around = [(oy + i, ox + j) for i in range(-radius, radius + 1) for j in range(-radius, radius + 1) if i or j]
            near = [values[best], *(value(d) for d in around)]
            pick = int(np.argmin(near))
            out[ty, tx] = [(oy, ox), *around][pick]
            cost[ty, tx] = near[pick]


def luma_rows(
    first: int,
    last: int,
    mosaic: NDArray[np.uint16],
    black: Array,
    scale: Array,
    gain: float,
    offset: float,
    factor: float,
    top: int,
    left: int,
    out: Array,
) -> None:
    """Compute the samples' 1-2-1 mean along both axes, mirrored at borders, stabilised."""
    odd = np.arange(mosaic.shape[0]) % 2
    x = np.pad((mosaic - black[odd].astype(np.float64)) * scale[odd], 1, mode="reflect")
    x = 0.25 * (x[:-2] + x[2:]) + 0.5 * x[1:-1]
    x = 0.25 * (x[:, :-2] + x[:, 2:]) + 0.5 * x[:, 1:-1]
    x = x[top + first : top + last, left : left + out.shape[1]]
    out[first:last] = factor * np.sqrt(np.maximum(gain * x + offset, 0))


def gradients(image: Array) -> tuple[Array, Array]:
    """Return halved central differences (gy, gx), one-sided at the border."""
    x = np.pad(image, 1, mode="edge")
    return 0.5 * (x[2:, 1:-1] - x[:-2, 1:-1]), 0.5 * (x[1:-1, 2:] - x[1:-1, :-2])


def tile_hessians(first: int, last: int, ref: Array, tile: int, margin: int, out: Array) -> None:
    """Compute H = sum over the window of grad grad^T, as (yy, yx, xx), and the number of pixels."""
    gy, gx = gradients(ref)
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            window = _window(ty, tx, tile, margin)
            g, h = gy[window], gx[window]
            out[ty, tx] = (g * g).sum(), (g * h).sum(), (h * h).sum(), g.size


def cubic(t: float) -> Array:
    """Return the weights of Keys' cubic convolution (1981, eq. 15) for the samples -1, 0, 1, 2."""
    distance = np.abs(np.array([-1.0, 0.0, 1.0, 2.0]) - t)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return np.where(distance <= 1, near, far)


def register_tiles(
    first: int,
    last: int,
    ref: Array,
    frame: Array,
    tile: int,
    margin: int,
    hessian: Array,
    iterations: int,
    limit: float,
    start: Array,
    out: Array,
    cost: Array,
) -> None:
    """Iterate f <- f + H^-1 sum g (ref - frame(p + f)), steps of at most a pixel; a tile that moves more than `limit` away is reset to its start."""
    gy, gx = gradients(ref)
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            window = _window(ty, tx, tile, margin)
            a, b, c, full = (float(v) for v in hessian[ty, tx])
            begin = np.array(start[ty, tx], np.float64)
            f = begin.copy()
            e, valid = _residual(ref, frame, window, f)
            for _ in range(iterations):
                if valid.sum() * 4 < full or a * c - b * b <= 0:
                    break
                share = full / valid.sum()
                step = np.linalg.solve(np.array([[a, b], [b, c]]), share * np.array([(gy[window] * e).sum(), (gx[window] * e).sum()]))
                size = float(np.hypot(*step))
                if not size < FAR:  # NaN samples
                    f = np.full(2, np.nan)
                    break
                f = f + step / max(size, 1.0)
                if size < 0.003:  # converged: the residual is kept
                    break
                e, valid = _residual(ref, frame, window, f)
            if not np.all(np.abs(f - begin) <= limit):
                f = begin
                e, valid = _residual(ref, frame, window, f)
            out[ty, tx] = f
            cost[ty, tx] = (e * e).sum() / valid.sum() if valid.sum() * 4 >= full else np.nan


def _window(ty: int, tx: int, tile: int, margin: int) -> tuple[slice, slice]:
    return slice(max(ty * tile - margin, 0), (ty + 1) * tile + margin), slice(max(tx * tile - margin, 0), (tx + 1) * tile + margin)


def _residual(ref: Array, frame: Array, window: tuple[slice, slice], f: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return ref(p) - frame(p + f) over the window, and where it is valid: p + f inside the frame with two pixels to spare; 0 elsewhere."""
    height, width = ref.shape
    iy, ix = (int(np.floor(v)) for v in f)
    y, x = np.mgrid[window[0].start : min(window[0].stop, height), window[1].start : min(window[1].stop, width)]
    valid = (y + iy >= 1) & (y + iy < height - 2) & (x + ix >= 1) & (x + ix < width - 2)
    v, u = cubic(float(f[0]) - iy), cubic(float(f[1]) - ix)
    value = np.zeros(y.shape)
    for i in range(4):
        for j in range(4):
            rows, columns = np.clip(y + iy + i - 1, 0, height - 1), np.clip(x + ix + j - 1, 0, width - 1)
            value += v[i] * u[j] * frame[rows, columns]
    return np.where(valid, ref[window] - value, 0.0), valid


def affine_sums(first: int, last: int, position: Array, flow: Array, information: Array, weight: Array, normal: Array, right: Array) -> None:
    """Add D^T W D and D^T W f, W = weight times information, D = [1, y, x] per axis."""
    design = np.column_stack([np.ones(last - first), position[first:last]])
    scaled = information[first:last] * weight[first:last, None, None]
    normal += np.einsum("ni,nab,nj->iajb", design, scaled, design)
    right += np.einsum("ni,nab,nb->ia", design, scaled, flow[first:last])


def affine_misfits(first: int, last: int, position: Array, flow: Array, information: Array, coefficients: Array, out: Array) -> None:
    """Compute r^T I r with r = f - D c."""
    r = flow[first:last] - coefficients[0] - position[first:last] @ coefficients[1:]
    out[first:last] = np.einsum("na,nab,nb->n", r, information[first:last], r)


def weighted_median(values: Array, weights: Array) -> float:
    """Return the value at which the cumulative weight reaches half of the total; 0 if the total is 0."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    if running.size == 0 or not running[-1] > 0:
        return 0.0
    return float(values[order][np.searchsorted(running, 0.5 * running[-1])])


def relax(base: Array, coupling: Array, sweeps: int, field: Array) -> None:
    """Iterate d <- base + P (sum of the four neighbours' d), all tiles at once."""
    for _ in range(sweeps):
        y, x = field[:, :-2, 1:-1] + field[:, 2:, 1:-1] + field[:, 1:-1, :-2] + field[:, 1:-1, 2:]
        field[:, 1:-1, 1:-1] = base + np.stack([coupling[0] * y + coupling[1] * x, coupling[1] * y + coupling[2] * x])
