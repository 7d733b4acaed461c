"""Kernel accumulation on CFA samples: a streaming accumulator, one frame at a time (Wronski 2019, section 5.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import Frame
from burstsr.ground.compiled import over_rows
from burstsr.ground.coords import output_length
from burstsr.ground.flow import Flow
from burstsr.ground.sensor import clipped_samples
from burstsr.merge import frame_loops, loops

Floats = NDArray[np.float32]


class Accumulator:
    """Weighted sums of samples per output pixel and colour.

    kernel: (H/2, W/2, 3) float32 inverse covariances of the reference's quads. weight: what the fallback counts, in samples.
    fallback: (H', W', 3) float32 picture that stands where no frame gave a colour any weight; None = zeros.
    explained: (H', W', 3) float32 picture; with it, what it leaves unexplained of the frames is merged instead of their samples.
    """

    def __init__(self, scale: float, kernel: Floats, weight: float, fallback: Floats | None = None, explained: Floats | None = None) -> None:
        self._scale = np.float32(scale)
        self._kernel = kernel
        self._weight = np.float32(weight)
        self._explained = explained
        height, width = (output_length(2 * n, scale) for n in kernel.shape[:2])
        self._num = np.zeros((height, 3, width), np.float32)
        self._den = np.full((height, 3, width), self._weight, np.float32)
        if fallback is not None:
            np.multiply(np.moveaxis(fallback, 2, 1), self._weight, out=self._num)

    def add(self, frame: Frame, flow: Flow, trust: Floats) -> None:
        """Add a frame, displaced by `flow`, with trust (H/2, W/2) in 0 .. 1 per quad of the reference."""
        mosaic = clipped_samples(frame)
        cfa = frame.info.cfa.astype(np.int64)
        if self._explained is not None:
            left = np.empty_like(mosaic)
            over_rows(frame_loops.residuals, mosaic.shape[0], mosaic, cfa, self._explained, self._scale, flow.inverse().tiles, flow.tile_px, left)
            mosaic = left
        mosaic = np.pad(mosaic, loops.BORDER, mode="reflect")
        rows = self._num.shape[0]
        over_rows(loops.accumulate, rows, mosaic, cfa, self._scale, flow.tiles, flow.tile_px, self._kernel, trust, self._num, self._den)

    def result(self) -> tuple[Floats, Floats]:
        """Picture and weight, both (H', W', 3) float32; weight in samples, the fallback's taken off. Ends the accumulator."""
        over_rows(loops.normalise, self._num.shape[0], self._num, self._den)
        height, _, width = self._num.shape
        picture, weight = (sums.reshape(height, width, 3) for sums in (self._num, self._den))
        weight -= self._weight
        return picture, weight
