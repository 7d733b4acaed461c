"""Noise reduction of the reference frame: mean of all samples that coincide with its own sampling positions.

On a tripod the samples of all frames coincide, and the demosaiced mean is the optimal result; with hand-held motion a few do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.errors import CfaError
from burstsr.core.flow import Flow
from burstsr.core.jit import over_rows
from burstsr.core.sensor import clipped_samples, site_rows
from burstsr.core.window import Window
from burstsr.merge import frame_loops

Floats = NDArray[np.float32]
_SIGMA_PX = 0.15  # raw pixels; a sample at this distance has weight 0.6
_FILLS_IN = 1e-3  # least weight of the reference's own samples, for positions without others


class SamePhaseMean:
    """Accumulates frames on the reference's own sampling grid, (H, W)."""

    def __init__(self, reference: Frame, robustness: Floats | None = None, samples: Floats | None = None) -> None:
        """robustness (H/2, W/2): of the reference's own samples, None = full; at 0 they only fill positions without other samples.

        samples (H, W): the reference's, None = clipped at 1.0.
        """
        if len(set(reference.info.cfa.period)) > 1:
            raise CfaError(f"the mean at one phase: the CFA must have the same period along both axes, not {reference.info.cfa.name}")
        self._reference = reference
        self._num = clipped_samples(reference) if samples is None else samples.copy()
        self._den = np.ones_like(self._num)
        if robustness is not None:
            self._den[:] = np.repeat(np.repeat(np.maximum(robustness, np.float32(_FILLS_IN)), 2, axis=0), 2, axis=1)
            self._num *= self._den

    def add(self, frame: Frame, flow: Flow, robustness: Floats) -> None:
        """Add a frame with its `flow` and robustness (H/2, W/2)."""
        if frame is self._reference:  # already the initial value
            return
        samples = (frame.mosaic, *site_rows(frame.info.levels, 2))
        constants = (np.float32(1 / _SIGMA_PX**2), np.float32(self._reference.info.cfa.period[0]))
        over_rows(frame_loops.same_site_mean, frame.mosaic.shape[0], *samples, flow.tiles, flow.tile_px, robustness, *constants, self._num, self._den)

    def cut(self, window: Window) -> SamePhaseMean:
        """Return the sums of a window, which begins at a period of the CFA; ends this accumulator."""
        part = SamePhaseMean.__new__(SamePhaseMean)
        part._reference = window.frame(self._reference)
        part._num, part._den = (np.ascontiguousarray(sums[window.area]) for sums in (self._num, self._den))
        del self._num, self._den
        return part

    def result(self) -> tuple[Floats, Floats]:
        """Return the mean samples (H, W), and the factor of noise variance reduction per CFA cell, (H/2, W/2), from 1. Ends the accumulator."""
        num, d = self._num, self._den
        del self._num, self._den  # the only references: memory is released
        num /= d
        return num, np.float32(0.25) * (d[::2, ::2] + d[1::2, ::2] + d[::2, 1::2] + d[1::2, 1::2])
