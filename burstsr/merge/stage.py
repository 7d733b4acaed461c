"""Kernel accumulation on CFA samples (Wronski 2019, section 5.1): all frames, a band of output rows at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.coords import output_length
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.quantise import unpacked
from burstsr.core.sensor import red_site, site_rows
from burstsr.merge import frame_loops, loops
from burstsr.merge.strips import QUADS, Planes, RowReach, alike, first_outputs, stacked

Floats = NDArray[np.float32]


class KernelMerge:
    """Weighted sums of samples per output pixel and colour.

    kernel: (H/2, W/2, 3) float32 inverse covariances of the reference's quads; narrower ones than 0.1 raw pixels count as that.
    weight: what the fallback counts, in samples. fallback: (H', W', 3) float32 picture that stands where no frame gave a colour any weight; it becomes
    the result, in its own memory; None = zeros. explained: (H', W', 3) float32 picture; with it, what it leaves unexplained of the frames is merged
    instead of their samples.
    """

    def __init__(self, scale: float, kernel: Floats, weight: float, fallback: Floats | None = None, explained: Floats | None = None) -> None:
        self._scale = float(scale)
        self._kernel = kernel
        self._weight = np.float32(weight)
        self._explained = explained
        self._shape = (2 * kernel.shape[0], 2 * kernel.shape[1])
        size = (*(output_length(n, scale) for n in self._shape), 3)
        self._image = np.zeros(size, np.float32) if fallback is None else fallback
        self._frames: list[Frame] = []
        self._flows: list[Flow] = []
        self._robustness_maps: list[Floats | NDArray[np.uint8]] = []

    def add(self, frame: Frame, flow: Flow, robustness: Floats | NDArray[np.uint8]) -> None:
        """Add a frame, displaced by `flow`, with trust (H/2, W/2) in 0 .. 1 per quad of the reference, or packed. Nothing is computed before `result`."""
        self._frames.append(frame)
        self._flows.append(flow)
        self._robustness_maps.append(robustness)

    def result(self, weighed: bool = True) -> tuple[Floats, Floats]:
        """Picture and weight, both (H', W', 3) float32; weight in samples, without the fallback's; not weighed: of size 0. Ends the accumulator."""
        weights = np.empty(self._image.shape if weighed else (0, 0, 0), np.float32)
        if self._frames:
            self._merge(weights)
        else:
            weights[:] = 0
        return self._image, weights

    def _merge(self, weights: Floats) -> None:
        height, width = self._shape
        red, levels = divmod(red_site(self._frames[0]), 2), [site_rows(frame.info.levels, 2) for frame in self._frames]
        flows = alike(self._flows, self._shape)
        tile = flows[0].tile_px
        tiles = stacked([flow.tiles for flow in flows])
        backs = [flow.inverse().tiles for flow in flows] if self._explained is not None else []
        reaches = [RowReach(flow, height, width) for flow in flows]
        rows, columns = (first_outputs(n // 2, length, self._scale) for n, length in zip(self._shape, self._image.shape, strict=False))

        def band(first: int, last: int) -> None:
            least, largest = np.array([reach.of(2 * first, 2 * last) for reach in reaches]).T
            planes = Planes.for_rows(least, largest, width, red)
            for f, frame in enumerate(self._frames):
                place = (int(planes.tops[f]), int(planes.rows[f]), planes.stride, int(planes.bases[f]), planes.values)
                if self._explained is None:
                    frame_loops.split(frame.mosaic, *levels[f], red, *place)
                else:
                    frame_loops.split_residuals(frame.mosaic, *levels[f], red, *place, self._explained, self._scale, backs[f], tile)
            robustness_maps = stacked([unpacked(robustness[first:last]) for robustness in self._robustness_maps])
            places = (planes.values, planes.bases, planes.tops, planes.sizes, planes.stride)
            motion = (tiles, tile, self._kernel, robustness_maps)
            loops.accumulate(first, last, *places, self._shape, red, self._scale, *motion, self._weight, rows, columns, self._image, weights)

        def bands(first: int, last: int) -> None:
            for start in range(first, last, QUADS):
                band(start, min(start + QUADS, last))

        over_rows(bands, height // 2, multiple=QUADS)
