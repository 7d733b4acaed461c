"""Outliers of a bracket's reference, as `robustness.reference_outliers`, with votes exposure by exposure: none of frames that are clipped or too dark there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.pairs import PairModels
from burstsr.bracket.precision import clipped_cells, smooth_level, warped
from burstsr.core.burst import Frame
from burstsr.core.cfa import GREEN
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import CLIPPED
from burstsr.robustness import RepairedReference, RobustnessModel, repair_reference
from burstsr.settings import Settings

Floats = NDArray[np.float32]
_FEWEST, _FEWEST_CELLS = 3, 4  # contradicting frames, and cells, without which there is no outlier
_LEAST_SNR = 2.0  # of a 3 x 3 mean of a frame at the reference's level, to have a vote


class _Votes(RobustnessModel):
    """The reference's statistics in common units, with the votes of all exposures. Frames show nothing where they are clipped, and no more than it can."""

    def shown(self, frame: Frame, flow: Flow, at: NDArray[np.int64]) -> Floats:
        """See `RobustnessModel.shown`."""
        out = super().shown(frame, flow, at)
        own = frame.info.levels.saturation
        if own < 1:
            out[:, out[:3].max(axis=0) >= np.float32(CLIPPED * own)] = np.nan
        return np.minimum(out, np.float32(self._reference.info.levels.saturation))


def repaired_reference(models: PairModels, flows: Sequence[Flow], settings: Settings) -> RepairedReference | None:
    """Return the reference with its outliers repaired from the other frames; None if there are none. models: with robustness of all frames."""
    contradicting, covering = models.votes()
    if np.count_nonzero(contradicting >= _FEWEST) < _FEWEST_CELLS:
        return None
    frames, index, noise = models.frames, models.index, models.noise
    level = smooth_level(frames[index])
    for i, frame in enumerate(frames):
        if i != index:
            covering -= _silent(frame, flows[i], level, frame.noise(noise))
    others = [frame.noise(noise) for i, frame in enumerate(frames) if i != index]
    usual = Noise(np.mean([n.alpha for n in others], axis=0), np.mean([n.beta for n in others], axis=0), noise.gain)
    votes = _Votes(frames[index], frames[index].noise(noise), settings.robustness)
    votes.contradicting, votes.covering = contradicting, np.maximum(covering, contradicting)
    return repair_reference(frames, index, flows, votes, usual)


def _silent(frame: Frame, flow: Flow, level: Floats, noise: Noise) -> NDArray[np.uint16]:
    """Return (H/2, W/2) 1 where a frame has no vote: it is clipped, or too dark to show what the reference shows."""
    dark = level < np.float32(_LEAST_SNR) * np.sqrt((noise.alpha[GREEN] * level + noise.beta[GREEN]) / 18)
    return np.asarray(dark | (warped(clipped_cells(frame), flow) > 0), np.uint16)
