"""Motion fields: where a frame shows what the reference shows, per tile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burstsr.core.coords import tile_centre, tile_coordinate, tile_count

Floats = NDArray[np.float32]
_MANY = 4096  # number of positions above which a compiled loop is faster


@dataclass(frozen=True)
class Flow:
    """Motion of one frame relative to the reference.

    tiles: (nty, ntx, 2) float32, (dy, dx) in raw pixels at tile centres: frame(p + flow(p)) shows what reference(p) shows.
    tile_px: tile size in raw pixels. The flow is interpolated bilinearly between tile centres and extrapolated linearly beyond the outermost.
    error_px: standard error of the whole frame's translation, raw pixels, along the axis where it is largest; 0 where the motion is given, inf where
    nothing in the frames tells it.
    """

    tiles: NDArray[np.float32]
    tile_px: int
    error_px: float = 0.0

    @classmethod
    def zero(cls, shape: tuple[int, int], tile_px: int) -> Flow:
        """Return zero motion for a frame of `shape` = (H, W) raw pixels."""
        return cls(np.zeros((tile_count(shape[0], tile_px), tile_count(shape[1], tile_px), 2), np.float32), tile_px)

    def inverse(self) -> Flow:
        """Return the inverse flow, from the frame to the reference, on the same tiles of the frame.

        With q = p + flow(p), q + inverse(q) = p; exact at tile centres of the frame, by fixed-point iteration.
        """
        y, x = np.meshgrid(*(tile_centre(np.arange(n), self.tile_px) for n in self.tiles.shape[:2]), indexing="ij")
        back = -self.tiles.astype(np.float64)
        for _ in range(4):
            back = -self.at(y + back[..., 0], x + back[..., 1])
        return Flow(back.astype(np.float32), self.tile_px, self.error_px)

    def at(self, y: ArrayLike, x: ArrayLike) -> NDArray[np.float64]:
        """Return the flow (..., 2) at raw positions (y, x), which are broadcast together."""
        y, x = np.broadcast_arrays(np.asarray(y, np.float64), np.asarray(x, np.float64))
        if y.size >= _MANY:
            return self._at_many(np.ascontiguousarray(y), np.ascontiguousarray(x))
        i, v = _cell(tile_coordinate(y, self.tile_px), self.tiles.shape[0])
        j, u = _cell(tile_coordinate(x, self.tile_px), self.tiles.shape[1])
        i1, j1 = np.minimum(i + 1, self.tiles.shape[0] - 1), np.minimum(j + 1, self.tiles.shape[1] - 1)
        t = self.tiles.astype(np.float64)
        v, u = v[..., None], u[..., None]
        return np.asarray((1 - v) * ((1 - u) * t[i, j] + u * t[i, j1]) + v * ((1 - u) * t[i1, j] + u * t[i1, j1]))

    def positions(self, shape: tuple[int, int], step: tuple[int, int] = (1, 1), first: tuple[float, float] = (0, 0)) -> tuple[Floats, Floats]:
        """Return where the frame shows the raw positions first + step * (i, j) of the reference: two (h, w) = `shape`, y and x, in raw pixels.

        >>> Flow(np.full((1, 1, 2), 3, np.float32), 16).positions((1, 2), (2, 2), (0, 1))[1].tolist()
        [[4.0, 6.0]]
        """
        from burstsr.core import flow_loops  # numba takes time to load
        from burstsr.core.parallel import over_rows

        y, x = np.empty((2, *shape), np.float32)
        over_rows(flow_loops.moved_positions, shape[0], self.tiles, self.tile_px, *map(float, (*step, *first)), y, x)
        return y, x

    def _at_many(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same, compiled."""
        from burstsr.core import flow_loops  # numba takes time to load
        from burstsr.core.parallel import over_rows

        out = np.empty((*y.shape, 2))
        over_rows(flow_loops.many_flows_at, y.size, self.tiles, self.tile_px, y.ravel(), x.ravel(), out.reshape(-1, 2))
        return out


def _cell(position: NDArray[np.floating], tiles: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    lower = np.clip(np.floor(position).astype(np.int64), 0, max(tiles - 2, 0))
    return lower, np.asarray(np.clip(position - lower, -1.0, 2.0)) if tiles > 1 else np.zeros_like(position)
