"""Coordinate transforms. Axes are (y, x); an integer coordinate is a pixel centre; raw coordinates are those of the visible area.

>>> float(raw_position(0, 2.0)), float(raw_position(1, 2.0))
(-0.25, 0.25)
>>> float(output_position(raw_position(7, 1.5), 1.5))
7.0
>>> output_length(1080, 1.5)
1620
>>> float(tile_centre(0, 16)), float(tile_centre(1, 16))
(7.5, 23.5)
>>> float(tile_coordinate(tile_centre(3, 16), 16))
3.0
>>> tile_count(100, 16)
7
>>> float(cell_coordinate(0.5)), float(cell_coordinate(2.5))
(0.0, 1.0)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]


def raw_position(output: ArrayLike, scale: float) -> Floats:
    """Return the raw coordinate of output pixel `output` at `scale`: (o + 0.5) / s - 0.5."""
    return np.asarray((np.asarray(output, np.float64) + 0.5) / scale - 0.5)


def output_position(raw: ArrayLike, scale: float) -> Floats:
    """Return the output coordinate of raw coordinate `raw`; the inverse of `raw_position`."""
    return np.asarray((np.asarray(raw, np.float64) + 0.5) * scale - 0.5)


def output_length(raw_length: int, scale: float) -> int:
    """Return the number of output pixels along an axis of `raw_length` raw pixels."""
    return round(scale * raw_length)


def tile_count(length: int, tile: int) -> int:
    """Return the number of tiles of `tile` pixels that cover an axis of `length` pixels; the last one may extend beyond it."""
    return -(-length // tile)


def tile_centre(index: ArrayLike, tile: int) -> Floats:
    """Return the raw coordinate of the centre of tile `index`."""
    return np.asarray((np.asarray(index, np.float64) + 0.5) * tile - 0.5)


def tile_coordinate(raw: ArrayLike, tile: int) -> Floats:
    """Return a raw coordinate in units of tiles, an integer at tile centres; the inverse of `tile_centre`."""
    return np.asarray((np.asarray(raw, np.float64) + 0.5) / tile - 0.5)


def cell_coordinate(raw: ArrayLike) -> Floats:
    """Return a raw coordinate in units of 2 x 2 CFA cells, an integer at cell centres."""
    return tile_coordinate(raw, 2)
