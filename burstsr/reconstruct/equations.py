"""Positions of a frame's samples on a tile, and the normal equations of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.flow import Flow
from burstsr.core.lateral import NO_LATERAL
from burstsr.reconstruct import loops
from burstsr.reconstruct.aligned import aligned
from burstsr.reconstruct.blurred_frames import NO_SAMPLES, WideSamples

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations of a tile.

    normal: (p, h, reach + 1, 2 reach + 1, w), half of N's stencil; right: (p, h, w), G r; information: (p, h, w), N's row sums, 1 / variance. wide: samples
    of blurred frames, whose part of N is in no stencil.
    samples: effective number of samples of any colour, weighted by robustness.
    """

    normal: Floats
    right: Floats
    information: Floats
    samples: float
    wide: WideSamples = NO_SAMPLES


@dataclass(frozen=True)
class Footprints:
    """Positions of a frame's samples on a tile, see `loops.locate`: where (2, n), how (4, n); bounds (sites + 1,), where each CFA site's begin."""

    where: NDArray[np.int32]
    how: Floats
    bounds: NDArray[np.int64]


class TileGrid(NamedTuple):
    """Geometry of a tile for `loops.locate`.

    corner: its first CFA cell; cells: their number. certainty: (p, h, w) 1 / variance. origin: its first output pixel. lens: table of the lateral
    chromatic aberration (`core.lateral`).
    """

    corner: NDArray[np.int64]
    cells: tuple[int, int]
    certainty: Floats
    origin: NDArray[np.int64]
    lens: Floats = NO_LATERAL


def footprints(crop: Floats, place: NDArray[np.int64], cfa: NDArray[np.int64], scale: np.float32, inverse: Flow, grid: TileGrid) -> Footprints:
    """Return the positions of a crop's samples on a tile."""
    where, how = np.empty((2, crop.size), np.int32), np.empty((4, crop.size), np.float32)
    flow = (inverse.tiles, inverse.tile_px, grid.lens, grid.corner, np.array(grid.cells), grid.certainty, grid.origin)
    bounds = loops.locate(crop, place, cfa, scale, *flow, where, how)
    return Footprints(np.ascontiguousarray(where[:, : bounds[-1]]), np.ascontiguousarray(how[:, : bounds[-1]]), bounds)


def normal_equations(
    seen: Sequence[Footprints], robustness_maps: Sequence[Floats], cfa: NDArray[np.int64], scale: np.float32, shape: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """Return normal (p, h, reach + 1, 2 reach + 1, w) and right (p, h, w) of samples weighted by robustness (m, n) per CFA cell and by 1 / variance.

    shape: (p, h, w), the planes being the channels of `cfa`.
    """
    planes, height, width = shape
    reach = int(np.ceil(scale))
    normal = aligned((planes, height, reach + 1, 2 * reach + 1, width))
    right = aligned(shape)
    right[:] = 0
    stencils = aligned((height * width * loops.lanes(reach),))
    for colour in range(planes):
        stencils[:] = 0
        for spot, robustness in zip(seen, robustness_maps, strict=True):
            for site in np.flatnonzero(cfa.ravel() == colour):
                bounds = spot.bounds[site], spot.bounds[site + 1]
                loops.gather(spot.where, spot.how, *bounds, scale, robustness.ravel(), colour, (height, width), stencils, right.ravel())
        loops.lay_out(stencils, reach, normal[colour])
    return normal, right
