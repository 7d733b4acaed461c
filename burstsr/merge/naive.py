"""The merge in plain NumPy (Wronski 2019, eq. 1 and algorithm 4 of its re-implementation, IPOL 460). The oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.coords import raw_position
from burstsr.core.flow import Flow

Array = NDArray[np.float64]
BORDER = 2
NARROWEST = 100.0  # 1/px^2; largest trace of the inverse covariance; narrower kernels are widened to it


def accumulate(
    first: int,
    last: int,
    mosaic: Array,
    cfa: NDArray[np.int64],
    scale: float,
    flow: NDArray[np.float32],
    tile: int,
    kernel: Array,
    robustness: Array,
    num: Array,
    den: Array,
) -> None:
    """Accumulate num_c += sum over the 3 x 3 samples nearest to q of  R exp(-1/2 d^T Omega^-1 d) x;  den_c likewise without x. num, den: (H', 3, W')."""
    height, width = mosaic.shape[0] - 2 * BORDER, mosaic.shape[1] - 2 * BORDER
    oy, ox = np.mgrid[first:last, : num.shape[2]]
    y, x = raw_position(oy, scale), raw_position(ox, scale)
    shift = Flow(flow, tile).at(y, x)
    qy, qx = y + shift[..., 0], x + shift[..., 1]
    ky = np.clip(((oy + 0.5) / scale / 2).astype(int), 0, kernel.shape[0] - 1)
    kx = np.clip(((ox + 0.5) / scale / 2).astype(int), 0, kernel.shape[1] - 1)
    overlap = (qy >= -0.5) & (qx >= -0.5) & (qy <= height - 0.5) & (qx <= width - 0.5)
    R = np.where(overlap, robustness[ky, kx], 0.0)
    cy = np.clip(np.floor(qy + 0.5).astype(int), 0, height - 1)
    cx = np.clip(np.floor(qx + 0.5).astype(int), 0, width - 1)
    a, b, c = np.moveaxis(kernel[ky, kx].astype(np.float64), -1, 0)
    wider = np.maximum((a + c) / NARROWEST, 1.0)
    a, b, c = a / wider, b / wider, c / wider
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            dy, dx = cy + i - qy, cx + j - qx
            w = R * np.exp(np.maximum(-0.5 * (a * dy * dy + 2 * b * dy * dx + c * dx * dx), -24.0))
            channel = cfa[_mirrored(cy + i, height) % cfa.shape[0], _mirrored(cx + j, width) % cfa.shape[1]]
            value = mosaic[cy + i + BORDER, cx + j + BORDER]
            np.add.at(num, (oy, channel, ox), w * value)
            np.add.at(den, (oy, channel, ox), w)


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the index inside of the sample that fills in for one beyond a border."""
    return np.asarray(length - 1 - np.abs(length - 1 - np.abs(index)))


def normalise(first: int, last: int, num: Array, den: Array) -> None:
    """Divide num by den, then transpose both from (H', 3, W') to (H', W', 3) in the same memory."""
    num[first:last] /= den[first:last]
    for sums in (num, den):
        rows = sums[first:last]
        rows.reshape(len(rows), -1)[:] = np.moveaxis(rows.copy(), 1, 2).reshape(len(rows), -1)


def residuals(
    first: int, last: int, mosaic: Array, cfa: NDArray[np.int64], image: Array, scale: float, back: NDArray[np.float32], tile: int, out: Array
) -> None:
    """Compute x(q) - mean of the image over the square of side s around p = q + back(q); 0 where a saturated sample is exceeded."""
    y, x = np.mgrid[first:last, : mosaic.shape[1]]
    p = (np.stack([y, x], -1) + Flow(back, tile).at(y, x)) * scale
    difference = mosaic[first:last] - _box_mean(image, p[..., 0], p[..., 1], cfa[y % cfa.shape[0], x % cfa.shape[1]], float(scale))
    out[first:last] = np.where((mosaic[first:last] >= 1) & (difference < 0), 0.0, difference)


def _box_mean(image: Array, y: Array, x: Array, channel: NDArray[np.int64], side: float) -> Array:
    """Return the mean of an image's channel over squares [y, y + side) x [x, x + side); pixel i covers [i, i + 1) and is weighted by its overlap."""
    total = np.zeros(y.shape)
    for i in range(int(np.ceil(side)) + 1):
        for j in range(int(np.ceil(side)) + 1):
            row, column = np.floor(y).astype(int) + i, np.floor(x).astype(int) + j
            overlap = _overlap(row, y, side) * _overlap(column, x, side)
            total += overlap * image[np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0, image.shape[1] - 1), channel]
    return total / side**2


def _overlap(pixel: NDArray[np.int64], start: Array, side: float) -> Array:
    """Return the length of [pixel, pixel + 1) inside [start, start + side)."""
    return np.asarray(np.maximum(np.minimum(pixel + 1, start + side) - np.maximum(pixel, start), 0.0))


def same_site_mean(
    first: int, last: int, mosaic: Array, flow: NDArray[np.float32], tile: int, robustness: Array, precision: float, period: float, num: Array, den: Array
) -> None:
    """Accumulate num(p) += R exp(-1/2 precision |c - q|^2) x(c), c the sample nearest to q = p + flow(p) of p's CFA site; den likewise without x."""
    height, width = mosaic.shape
    y, x = np.mgrid[first:last, :width]
    q = np.stack([y, x], -1) + Flow(flow, tile).at(y, x)
    cy, cx = (p + int(period) * np.floor((q[..., k] - p) / period + 0.5).astype(int) for k, p in enumerate((y, x)))
    valid = (cy >= 0) & (cx >= 0) & (cy < height) & (cx < width)
    d2 = (cy - q[..., 0]) ** 2 + (cx - q[..., 1]) ** 2
    w = np.where(valid, robustness[y // 2, x // 2] * np.exp(np.maximum(-0.5 * precision * d2, -24.0)), 0.0)
    num[first:last] += w * mosaic[np.clip(cy, 0, height - 1), np.clip(cx, 0, width - 1)]
    den[first:last] += w
