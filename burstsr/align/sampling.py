"""Sampling diversity of a burst: how the frames' sub-pixel shifts are distributed over the CFA period."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from burstsr.core.flow import Flow

LARGEST_ERROR_PX = 0.25  # standard error beyond which a frame's sub-pixel phase counts as unknown


def certain(flows: Sequence[Flow]) -> list[Flow]:
    """Return the flows whose standard error is at most `LARGEST_ERROR_PX`; the sub-pixel phase of the others is unknown."""
    return [flow for flow in flows if flow.error_px <= LARGEST_ERROR_PX]


def unknown_motion(unknown: int, frames: int) -> str:
    """Return the warning for frames whose motion is too uncertain to count."""
    return (
        f"the motion of {unknown} of {frames} frames is uncertain by more than {LARGEST_ERROR_PX:g} px (defocused, too dark, or without structure): "
        "it counts as unknown and contributes no expected resolution"
    )


def rigid_motion(flow: Flow) -> tuple[float, float, float]:
    """Return the median translation (dy, dx), raw pixels, and the least-squares rotation, radians (from +x towards +y), of a flow."""
    tiles = flow.tiles.astype(np.float64)
    dy, dx = (float(np.median(tiles[..., k])) for k in (0, 1))
    y, x = np.mgrid[: tiles.shape[0], : tiles.shape[1]].astype(np.float64)
    y, x = (y - y.mean()) * flow.tile_px, (x - x.mean()) * flow.tile_px
    square = float((y * y + x * x).sum())
    rotation = float((x * (tiles[..., 0] - dy) - y * (tiles[..., 1] - dx)).sum()) / square if square > 0 else 0.0
    return dy, dx, rotation


def subpixel_phases(flows: Sequence[Flow], scale: float, period: int = 2) -> int:
    """Count the sub-pixel cells of the CFA's period that the frames' shifts occupy, of (period ceil(scale))^2; cells are centred on integer phases.

    period: of the CFA per axis, raw pixels: 2 for Bayer, 1 for monochrome.
    Counted at the four corners and the centre of the image; the maximum is returned, since rotation alone diversifies phases too.
    1: all frames sample the scene at the same positions (tripod).
    """
    cells = period * math.ceil(scale)
    most = 1
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1), (None, None)):
        occupied = set()
        for flow in flows:
            tiles = flow.tiles
            dy, dx = (float(np.median(tiles[..., k])) if row is None else float(tiles[row, column, k]) for k in (0, 1))
            occupied.add((math.floor(dy / period * cells + 0.5) % cells, math.floor(dx / period * cells + 0.5) % cells))
        most = max(most, len(occupied))
    return most


def coverage(flows: Sequence[Flow], scale: float, period: int = 2) -> float:
    """Return `subpixel_phases` of the flows that are `certain`, as a fraction (0 to 1) of the largest number that all frames could occupy."""
    return subpixel_phases(certain(flows), scale, period) / min(len(flows), (period * math.ceil(scale)) ** 2)
