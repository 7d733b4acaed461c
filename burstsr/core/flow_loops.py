"""The loop of `Flow.at`, for many positions."""

import math

from burstsr.core.jit import compiled


@compiled
def bilinear(first, last, tiles, tile, y, x, out):
    """Flow (n, 2) float64 at raw positions y, x (n,): bilinear between tile centres, linear beyond the outermost, up to one tile."""
    rows, columns = tiles.shape[:2]
    for n in range(first, last):
        v = (y[n] + 0.5) / tile - 0.5
        i = min(max(int(math.floor(v)), 0), max(rows - 2, 0))
        v = min(max(v - i, -1.0), 2.0) if rows > 1 else 0.0
        u = (x[n] + 0.5) / tile - 0.5
        j = min(max(int(math.floor(u)), 0), max(columns - 2, 0))
        u = min(max(u - j, -1.0), 2.0) if columns > 1 else 0.0
        i1 = min(i + 1, rows - 1)
        j1 = min(j + 1, columns - 1)
        for k in range(2):
            above = (1.0 - u) * tiles[i, j, k] + u * tiles[i, j1, k]
            below = (1.0 - u) * tiles[i1, j, k] + u * tiles[i1, j1, k]
            out[n, k] = (1.0 - v) * above + v * below
