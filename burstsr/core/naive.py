"""DN to samples in plain NumPy, the oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mosaic = NDArray[np.uint16]


def normalise_rows(first: int, last: int, mosaic: Mosaic, black: Array, scale: Array, most: float, out: Array) -> None:
    """Compute (level - black) / (white - black) per site, clipped above at `most`."""
    site = np.arange(first, last) % len(black)
    out[first:last] = np.minimum((mosaic[first:last] - black[site]) * scale[site], most)


def cell_rows(first: int, last: int, mosaic: Mosaic, black: Array, scale: Array, red: int, out: Array) -> None:
    """Compute R, G, B per CFA cell, the two greens averaged. red: 2 y + x of the red site."""
    x = _samples(first, last, mosaic, black, scale)
    ry, rx = divmod(red, 2)
    out[first:last, :, 0] = x[ry::2, rx::2]
    out[first:last, :, 1] = (x[ry::2, 1 - rx :: 2] + x[1 - ry :: 2, rx::2]) / 2
    out[first:last, :, 2] = x[1 - ry :: 2, 1 - rx :: 2]


def stabilised_cell_rows(first: int, last: int, mosaic: Mosaic, black: Array, scale: Array, gain: float, offset: float, factor: float, out: Array) -> None:
    """Compute the stabilised mean of each CFA cell's four samples."""
    x = _samples(first, last, mosaic, black, scale)
    mean = (x[::2, ::2] + x[::2, 1::2] + x[1::2, ::2] + x[1::2, 1::2]) / 4
    out[first:last] = factor * np.sqrt(np.maximum(gain * mean + offset, 0))


def site_sums(first: int, last: int, mosaic: Mosaic, out: NDArray[np.uint64]) -> None:
    """Sum the even and the odd columns of each row."""
    out[first:last, 0] = mosaic[first:last, ::2].sum(1, dtype=np.uint64)
    out[first:last, 1] = mosaic[first:last, 1::2].sum(1, dtype=np.uint64)


def _samples(first: int, last: int, mosaic: Mosaic, black: Array, scale: Array) -> Array:
    """Return the samples of the CFA cells of rows first .. last, complete cells only."""
    odd = np.arange(2 * first, 2 * last) % 2
    x = (mosaic[2 * first : 2 * last] - black[odd].astype(np.float64)) * scale[odd]
    return np.asarray(x[:, : x.shape[1] // 2 * 2])
