"""Division of an image into tiles that are solved one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.coords import raw_position
from burstsr.core.flow import Flow
from burstsr.reconstruct.aligned import VECTOR, aligned

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """A tile of the image: pixels y0 .. y1, x0 .. x1 are its own.

    It is solved with `margin` more on every side, mirrored beyond the image, and with further columns on the right to make rows of whole vectors.
    """

    y0: int
    y1: int
    x0: int
    x1: int
    margin: int

    @property
    def origin(self) -> tuple[int, int]:
        """Image coordinates of the first pixel, margin included; may be negative."""
        return self.y0 - self.margin, self.x0 - self.margin

    @property
    def centre(self) -> tuple[float, float]:
        """Image coordinates (y, x) of the middle, edges of pixels being whole numbers."""
        return (self.y0 + self.y1) / 2, (self.x0 + self.x1) / 2

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (h, w), margins included."""
        width = self.x1 - self.x0 + 2 * self.margin
        return self.y1 - self.y0 + 2 * self.margin, -(-width // VECTOR) * VECTOR

    @property
    def own(self) -> tuple[slice, slice, slice]:
        """Index of the tile's own pixels within its (p, h, w) arrays."""
        return slice(None), slice(self.margin, self.margin + self.y1 - self.y0), slice(self.margin, self.margin + self.x1 - self.x0)

    def cells(self, scale: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows and columns of the reference's CFA cells that the tile overlaps, also beyond the frame."""
        first = [math.floor(o / scale / 2) for o in self.origin]
        last = [math.floor((o + n) / scale / 2) for o, n in zip(self.origin, self.shape, strict=True)]
        return np.arange(first[0], last[0] + 1), np.arange(first[1], last[1] + 1)

    def cut(self, image: Floats) -> Floats:
        """Return the tile's (p, h, w) part of a (H', W', p) image."""
        return self.cut_rows(lambda first, last: image[first:last], (image.shape[0], image.shape[1]))

    def cut_rows(self, rows: Callable[[int, int], Floats], size: tuple[int, int]) -> Floats:
        """Return the tile's (p, h, w) part of an image of `size` = (H', W') given as a function of its rows, first to last."""
        y, x = (_mirrored(np.arange(first, first + length), n) for first, length, n in zip(self.origin, self.shape, size, strict=True))
        needed = rows(int(y.min()), int(y.max()) + 1)[np.ix_(y - y.min(), x)]
        out = aligned((needed.shape[2], *self.shape))
        out[:] = np.moveaxis(needed, 2, 0)
        return out


def tiles(shape: tuple[int, int], side: int, margin: int) -> Iterator[Tile]:
    """Yield tiles of at most `side` pixels and nearly equal size that cover `shape`."""
    rows, columns = (_cuts(length, side) for length in shape)
    for y0, y1 in rows:
        for x0, x1 in columns:
            yield Tile(y0, y1, x0, x1, margin)


def box_in_frame(tile: Tile, flow: Flow, scale: float, shape: tuple[int, int], room: int = 0) -> NDArray[np.int64]:
    """Return (y0, y1, x0, x1), even, of a frame's raw pixels that may overlap the tile, within `shape`; from the extremes of the flow around it.

    room: raw pixels more on every side.
    """
    first = [float(raw_position(o - 0.5, scale)) for o in tile.origin]
    last = [float(raw_position(o + n - 0.5, scale)) for o, n in zip(tile.origin, tile.shape, strict=True)]
    box = []
    for axis in (0, 1):
        nodes = []
        for k, count in enumerate(flow.tiles.shape[:2]):
            low, high = (int(math.floor(v[k] / flow.tile_px)) for v in (first, last))
            nodes.append(slice(min(max(low - 1, 0), count - 1), min(max(high + 2, 1), count)))
        nearby = flow.tiles[nodes[0], nodes[1], axis]
        low = min(max(math.floor((first[axis] + float(nearby.min()) - room) / 2) * 2, 0), shape[axis])
        high = min(math.ceil((last[axis] + float(nearby.max()) + 1 + room) / 2) * 2, shape[axis])
        box += [low, max(high, low)]
    return np.array(box, np.int64)


def _cuts(length: int, side: int) -> list[tuple[int, int]]:
    count = -(-length // side)
    edges = [length * k // count for k in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _mirrored(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return indices reflected into 0 .. length, edge pixels once."""
    period = max(2 * (length - 1), 1)
    folded = np.abs(index) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(index)
