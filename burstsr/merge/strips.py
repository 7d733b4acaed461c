"""Raw rows that a band of output rows needs from each frame, and their layout in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.coords import tile_centre, tile_coordinate, tile_count
from burstsr.core.flow import Flow
from burstsr.merge.weigh_loops import BLOCK, BORDER

Floats = NDArray[np.float32]
BAND_ROWS = 16  # rows of CFA cells per band
_SLACK = 2 * BLOCK  # padding around the planes, which blocks at the image border read but do not use


@dataclass(frozen=True)
class Planes:
    """Sample planes of a band's frames, as used by `loops.accumulate`. rows: of each frame's planes."""

    values: Floats
    bases: NDArray[np.int64]
    tops: NDArray[np.int64]
    rows: NDArray[np.int64]
    stride: int

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the number of samples in a plane of each frame."""
        return self.rows * self.stride

    @classmethod
    def for_rows(cls, least: NDArray[np.int64], largest: NDArray[np.int64], width: int, red: tuple[int, int]) -> Planes:
        """Allocate planes for raw rows least .. largest of frames of `width` columns."""
        tops = (least + red[0] + BORDER) // 2 * 2
        rows = (largest + red[0] + BORDER) // 2 + 1 - tops // 2
        stride = (width + red[1] + BORDER) // 2 + 1
        ends = np.cumsum(4 * rows * stride)
        return cls(np.zeros(int(ends[-1]) + 2 * _SLACK, np.float32), ends - 4 * rows * stride + _SLACK, tops, rows, stride)


def first_outputs(cells: int, length: int, scale: float) -> NDArray[np.int64]:
    """Return (cells + 1,) indices of the first output pixel whose centre is in or after each CFA cell; the last entry is `length`."""
    positions = (np.arange(length) + 0.5) / scale / 2
    starts = np.searchsorted(positions, np.arange(cells + 1))
    starts[-1] = length
    return starts.astype(np.int64)


class RowRange:
    """Range of raw rows in a frame that contribute to given rows of the reference."""

    def __init__(self, flow: Flow, height: int, width: int) -> None:
        self._height = height
        self._tile = flow.tile_px
        edges = flow.at(_nodes(flow.tiles.shape[0], height, flow.tile_px)[:, None], np.array([-0.5, width - 0.5])[None])[..., 0]
        inner = flow.at(_nodes(flow.tiles.shape[0], height, flow.tile_px)[:, None], _nodes(flow.tiles.shape[1], width, flow.tile_px)[None])[..., 0]
        self._least = np.minimum(edges.min(1), inner.min(1))
        self._largest = np.maximum(edges.max(1), inner.max(1))

    def of(self, first: int, last: int) -> tuple[int, int]:
        """Return the smallest and largest raw row, at most one outside the frame, in reach of kernels at rows first .. last - 1 of the reference."""
        a, b = (int(np.clip(np.floor(tile_coordinate(y, self._tile)) + 1, 0, len(self._least) - 2)) for y in (first - 0.5, last - 0.5))
        least = first - 0.5 + self._least[a : b + 2].min()
        largest = last - 0.5 + self._largest[a : b + 2].max()
        low = int(np.clip(np.floor(least + 0.5) - 1, -1, self._height - 1))
        high = int(np.clip(np.floor(largest + 0.5) + 1, 0, self._height))
        return low, max(high, low + 1)


def _nodes(tiles: int, length: int, tile: int) -> NDArray[np.float64]:
    """Return the knots between which flow is linear along an axis: tile centres and the ends of the axis."""
    return np.concatenate([[-0.5], tile_centre(np.arange(tiles), tile), [length - 0.5]])


def common_grid(flows: Sequence[Flow], shape: tuple[int, int]) -> list[Flow]:
    """Resample flows of frames of `shape` (H, W) to a common grid: the smallest tile size among them."""
    tile = min(flow.tile_px for flow in flows)
    y, x = (tile_centre(np.arange(tile_count(length, tile)), tile) for length in shape)
    return [flow if flow.tile_px == tile else Flow(flow.at(y[:, None], x[None]).astype(np.float32), tile) for flow in flows]


def stacked(arrays: Sequence[Floats]) -> Floats:
    """Stack arrays to (N, ...) float32, contiguous."""
    return np.ascontiguousarray(np.stack(arrays), np.float32)
