"""What a burst's motion is worth: how the frames' sampling grids lie against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from burstsr.core.flow import Flow


def rigid_motion(flow: Flow) -> tuple[float, float, float]:
    """Median translation (dy, dx) in raw pixels and least-squares rotation in radians (from +x towards +y) of a flow's tiles."""
    tiles = flow.tiles.astype(np.float64)
    dy, dx = (float(np.median(tiles[..., k])) for k in (0, 1))
    y, x = np.mgrid[: tiles.shape[0], : tiles.shape[1]].astype(np.float64)
    y, x = (y - y.mean()) * flow.tile_px, (x - x.mean()) * flow.tile_px
    square = float((y * y + x * x).sum())
    rotation = float((x * (tiles[..., 0] - dy) - y * (tiles[..., 1] - dx)).sum()) / square if square > 0 else 0.0
    return dy, dx, rotation


def subpixel_phases(flows: Sequence[Flow], scale: float) -> int:
    """Sub-pixel cells of the CFA's 2 x 2 pixel period that the frames' shifts fall in, of (2 ceil(scale))^2; cells are centred on whole phases.

    Counted at the picture's corners and centre, the most of them: rotation alone gives phases too. 1 means that all frames saw the same: a tripod.
    """
    cells = 2 * math.ceil(scale)
    most = 1
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1), (None, None)):
        places = set()
        for flow in flows:
            tiles = flow.tiles
            dy, dx = (float(np.median(tiles[..., k])) if row is None else float(tiles[row, column, k]) for k in (0, 1))
            places.add((math.floor(dy / 2 * cells + 0.5) % cells, math.floor(dx / 2 * cells + 0.5) % cells))
        most = max(most, len(places))
    return most


def coverage(flows: Sequence[Flow], scale: float) -> float:
    """`phases` as a share, 0 to 1, of those that so many frames can fill."""
    return subpixel_phases(flows, scale) / min(len(flows), (2 * math.ceil(scale)) ** 2)
