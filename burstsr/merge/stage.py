"""Kernel regression on CFA samples (Wronski 2019, section 5.1): all frames at once, one band of output rows at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays, mapped_pages
from burstsr.core.burst import Frame
from burstsr.core.cfa import BLUE, RED, Cfa
from burstsr.core.coords import output_length
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.quantise import unpacked
from burstsr.core.sensor import red_site, site_rows
from burstsr.merge import frame_loops, loops
from burstsr.merge.strips import BAND_ROWS, Planes, RowRange, common_grid, first_outputs, stacked

Floats = NDArray[np.float32]
_CLIPPED = 0.98  # share of the saturation of a bracket's longer exposures from which samples are lower bounds


class Pattern:
    """Channels of the samples of frames, `shape` (H, W), with a CFA other than Bayer: for loops that cannot know them from the site in a cell of 2 x 2."""

    def __init__(self, cfa: Cfa, shape: tuple[int, int]) -> None:
        self.channels = cfa.channel_map((cfa.period[0], shape[1])).astype(np.int64)
        seen = cfa.channel_map(shape)
        self._is_red_blue = [(seen == c).astype(np.uint16) for c in (RED, BLUE)]

    def masks(self, planes: Planes) -> Floats:
        """Return (2, len(planes.values)) 1 where the sample is red, and where it is blue, else 0."""
        out = np.zeros((2, len(planes.values)), np.float32)
        zeros, ones = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
        for top, rows, base in zip(planes.tops, planes.rows, planes.bases, strict=True):
            for is_one, mask in zip(self._is_red_blue, out, strict=True):
                frame_loops.split(is_one, zeros, ones, (0, 0), int(top), int(rows), planes.stride, int(base), mask)
        return out


class KernelMerge:
    """Weighted mean of samples per output pixel and colour.

    kernel: (H/2, W/2, 3) float32 inverse covariances at the reference's CFA cells; kernels narrower than 0.1 raw pixels are widened to that.
    weight: weight of the fallback, in samples. fallback: (H', W', 3) float32 image for pixels where no frame contributes to a colour; overwritten with
    the result; None = zeros. explained: (H', W', 3) float32 image; if given, the residuals of the frames from it are merged instead of their samples.
    """

    def __init__(self, scale: float, kernel: Floats, weight: float, fallback: Floats | None = None, explained: Floats | None = None) -> None:
        self._scale = float(scale)
        self._kernel = kernel
        self._weight = np.float32(weight)
        self._explained = explained
        self._shape = (2 * kernel.shape[0], 2 * kernel.shape[1])
        size = (*(output_length(n, scale) for n in self._shape), 3)
        self._image = large_arrays.zeros(size) if fallback is None else fallback
        self._frames: list[Frame] = []
        self._flows: list[Flow] = []
        self._robustness_maps: list[Floats | NDArray[np.uint8]] = []

    def add(self, frame: Frame, flow: Flow, robustness: Floats | NDArray[np.uint8]) -> None:
        """Add a frame with its `flow` and robustness (H/2, W/2), 0 to 1, per CFA cell of the reference, or packed. Computation is deferred to `result`."""
        self._frames.append(frame)
        self._flows.append(flow)
        self._robustness_maps.append(robustness)

    def result(self, weighed: bool = True) -> tuple[Floats, Floats]:
        """Return image and weight, both (H', W', 3) float32, and end the accumulator. weight: in samples, without the fallback; of size 0 if not weighed."""
        weights = large_arrays.empty(self._image.shape if weighed else (0, 0, 0))
        if self._frames:
            self._merge(weights)
        else:
            weights[:] = 0
        return self._image, weights

    def _merge(self, weights: Floats) -> None:
        height, width = self._shape
        cfa, levels = self._frames[0].info.cfa, [site_rows(frame.info.levels, 2) for frame in self._frames]
        red, pattern = divmod(red_site(self._frames[0]), 2) if cfa.has_bayer_cells else (0, 0), None if cfa.has_bayer_cells else Pattern(cfa, self._shape)
        most = [np.float32(min(_CLIPPED * s, 1)) if (s := frame.info.levels.saturation) < 1 else np.float32(1) for frame in self._frames]
        flows = common_grid(self._flows, self._shape)
        tile = flows[0].tile_px
        tiles = stacked([flow.tiles for flow in flows])
        backs = [flow.inverse().tiles for flow in flows] if self._explained is not None else []
        row_ranges = [RowRange(flow, height, width) for flow in flows]
        rows, columns = (first_outputs(n // 2, length, self._scale) for n, length in zip(self._shape, self._image.shape, strict=False))

        def filled(planes: Planes) -> Planes:
            for f, frame in enumerate(self._frames):
                destination = (int(planes.tops[f]), int(planes.rows[f]), planes.stride, int(planes.bases[f]), planes.values)
                if self._explained is None:
                    frame_loops.split(frame.mosaic, *levels[f], red, *destination)
                else:
                    back = (self._explained, self._scale, backs[f], tile, pattern and pattern.channels, most[f])
                    frame_loops.split_residuals(frame.mosaic, *levels[f], red, *destination, *back)
            return planes

        def band(first: int, last: int) -> None:
            least, largest = np.array([reach.of(2 * first, 2 * last) for reach in row_ranges]).T
            planes = filled(Planes.for_rows(least, largest, width, red))
            robustness_maps = stacked([unpacked(robustness[first:last]) for robustness in self._robustness_maps])
            layout = (planes.values, planes.bases, planes.tops, planes.sizes, planes.stride)
            motion = (tiles, tile, self._kernel, robustness_maps)
            result = (self._weight, rows, columns, self._image, weights)
            loops.accumulate(first, last, *layout, self._shape, red, self._scale, *motion, *result, pattern and pattern.masks(planes))

        def bands(first: int, last: int) -> None:
            for start in range(first, last, BAND_ROWS):
                band(start, min(start + BAND_ROWS, last))
                mapped_pages.release()

        over_rows(bands, height // 2, multiple=BAND_ROWS)
