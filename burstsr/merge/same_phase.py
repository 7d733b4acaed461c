"""The reference frame with less noise: the mean of all samples that happen to lie on its own.

From a tripod every frame's do, and this mean, demosaiced, is the best there is; from a hand a few do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.sensor import clipped_samples, site_rows
from burstsr.merge import frame_loops

Floats = NDArray[np.float32]
_SIGMA_PX = 0.15  # raw pixels by which a sample may lie beside the reference's to count 0.6
_FILLS_IN = 1e-3  # what a sample counts that is not trusted, where no other lies


class SamePhaseMean:
    """Accumulates frames on the reference's own sampling grid, (H, W)."""

    def __init__(self, reference: Frame, robustness: Floats | None = None) -> None:
        """trust (H/2, W/2): of the reference's own samples, None = full; where there is none, they only fill in."""
        self._reference = reference
        self._num = clipped_samples(reference)
        self._den = np.ones_like(self._num)
        if robustness is not None:
            self._den[:] = np.repeat(np.repeat(np.maximum(robustness, np.float32(_FILLS_IN)), 2, axis=0), 2, axis=1)
            self._num *= self._den

    def add(self, frame: Frame, flow: Flow, robustness: Floats) -> None:
        """Add a frame, displaced by `flow`, with trust (H/2, W/2)."""
        if frame is self._reference:  # the mean begins with it
            return
        samples = (frame.mosaic, *site_rows(frame.info.levels, 2))
        precision = np.float32(1 / _SIGMA_PX**2)
        over_rows(frame_loops.same_site_mean, frame.mosaic.shape[0], *samples, flow.tiles, flow.tile_px, robustness, precision, self._num, self._den)

    def result(self) -> tuple[Floats, Floats]:
        """Samples (H, W), and by how much their noise variance has fallen, per quad: (H/2, W/2), from 1 where it is trusted. Ends the accumulator."""
        num, d = self._num, self._den
        del self._num, self._den  # nobody else holds that memory
        num /= d
        return num, np.float32(0.25) * (d[::2, ::2] + d[1::2, ::2] + d[::2, 1::2] + d[1::2, 1::2])
