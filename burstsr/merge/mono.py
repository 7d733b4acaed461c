"""The merge of monochrome frames: the samples of all three channels of `KernelMerge` belong to each pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.merge.stage import KernelMerge

Floats = NDArray[np.float32]


class MonoMerge:
    """`KernelMerge` of frames without colour filters: the same arguments, sums over all samples, three equal channels."""

    def __init__(self, scale: float, kernel: Floats, weight: float, fallback: Floats | None = None, explained: Floats | None = None) -> None:
        self._merge = KernelMerge(scale, kernel, weight, explained=explained)
        self._weight = np.float32(weight)
        self._fallback = fallback

    def add(self, frame: Frame, flow: Flow, robustness: Floats | NDArray[np.uint8]) -> None:
        """Add a frame, see `KernelMerge.add`."""
        self._merge.add(frame, flow, robustness)

    def result(self, weighed: bool = True) -> tuple[Floats, Floats]:
        """Return image and weight, both (H', W', 3) float32; weight in samples of a pixel, without the fallback's; empty if not weighed.

        Channel c of the merge is n_c / (w_c + f), with the fallback's weight f and no fallback; the pixel is (sum n_c + f fallback) / (sum w_c + f).
        """
        image, sums = self._merge.result()
        for rows in large_arrays.strips(image):
            grey, total = (image[rows] * (sums[rows] + self._weight)).sum(axis=2), sums[rows].sum(axis=2)
            if self._fallback is not None:
                grey += self._weight * self._fallback[rows, :, 0]
            grey /= total + self._weight
            image[rows] = grey[..., None]
            sums[rows] = total[..., None]
        return image, sums if weighed else np.empty((0, 0, 0), np.float32)
