"""What a burst's motion is worth: how the frames' sampling grids lie against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from burstsr.core.flow import Flow

LARGEST_ERROR_PX = 0.25  # standard error beyond which a frame's sub-pixel phase counts as unknown


def certain(flows: Sequence[Flow]) -> list[Flow]:
    """The flows whose standard error is at most a quarter of a raw pixel: of the others it is not known which phase they have."""
    return [flow for flow in flows if flow.error_px <= LARGEST_ERROR_PX]


def unknown_motion(unknown: int, frames: int) -> str:
    """What is said where the motion of some frames is too uncertain to count."""
    return (
        f"the motion of {unknown} of {frames} frames is uncertain by more than {LARGEST_ERROR_PX:g} px (defocused, too dark, or without structure): "
        "it counts as unknown, and no resolution is promised from it"
    )


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
    """`subpixel_phases` of the flows that are certain as a share, 0 to 1, of those that all frames can fill."""
    return subpixel_phases(certain(flows), scale) / min(len(flows), (2 * math.ceil(scale)) ** 2)
