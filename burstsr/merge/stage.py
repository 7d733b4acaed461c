"""Kernel accumulation on CFA samples: a streaming accumulator, one frame at a time (Wronski 2019, section 5.1)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.ground.burst import Frame
from burstsr.ground.compiled import over_rows
from burstsr.ground.coords import output_length
from burstsr.ground.flow import Flow
from burstsr.ground.sensor import samples
from burstsr.merge import loops
from burstsr.settings import MergeSettings


class Accumulator:
    """Weighted sums of samples per output pixel and colour.

    kernel: (H/2, W/2, 3) float32 inverse covariances of the reference's quads. fallback: (H', W', 3) float32 picture that counts with
    `settings.fallback_weight` samples everywhere: what stands where no frame gave a colour any weight.
    """

    def __init__(self, scale: float, kernel: NDArray[np.float32], fallback: NDArray[np.float32], settings: MergeSettings) -> None:
        self._scale = scale
        self._kernel = kernel
        self._weight = np.float32(settings.fallback_weight)
        self._num = fallback * self._weight
        self._den = np.full_like(self._num, self._weight)

    def add(self, frame: Frame, flow: Flow, trust: NDArray[np.float32]) -> None:
        """Add a frame, displaced by `flow`, with trust (H/2, W/2) in 0 .. 1 per quad of the reference."""
        mosaic = np.minimum(samples(frame.mosaic, frame.info.levels), np.float32(1.0))
        mosaic = cv2.copyMakeBorder(mosaic, *[loops.BORDER] * 4, cv2.BORDER_REFLECT_101)
        cfa = frame.info.cfa.astype(np.int64)
        over_rows(
            loops.accumulate,
            self._num.shape[0],
            mosaic,
            cfa,
            np.float32(self._scale),
            flow.tiles,
            flow.tile_px,
            self._kernel,
            trust,
            self._num,
            self._den,
        )

    def result(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Picture and weight, both (H', W', 3) float32; weight in samples, the fallback's taken off. Ends the accumulator."""
        over_rows(loops.normalise, self._num.shape[0], self._num, self._den)
        self._den -= self._weight
        return self._num, self._den


def output_shape(shape: tuple[int, int], scale: float) -> tuple[int, int]:
    """(round(s H), round(s W)) for a frame of `shape` = (H, W)."""
    return output_length(shape[0], scale), output_length(shape[1], scale)
