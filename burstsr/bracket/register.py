"""Registration of a bracket: as of other bursts, but every exposure is compared with the reference by itself, and weighted by its own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.extended_reference import extended, imputed
from burstsr.bracket.pairs import PairModels
from burstsr.bracket.precision import precision_map, relative_precision, smooth_level
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.quantise import packed, unpacked
from burstsr.demosaic import demosaic
from burstsr.merge import SamePhaseMean
from burstsr.reconstruct import RegisteredFrame
from burstsr.registration import Registered, observe
from burstsr.report import Record
from burstsr.settings import Settings

Floats = NDArray[np.float32]


def register_bracket(frames: Sequence[Frame], index: int, noise: Noise, tuned: Settings, flows: Sequence[Flow] | None, record: Record) -> Registered:
    """Register all frames of a bracket, in common units, against frames[index], as `register_frames` does others. noise: of the noisiest frame."""
    record.stage("align")
    models = PairModels(frames, index, tuned, noise)
    found: dict[int, RegisteredFrame] = {}
    for i in models.order:
        flow = record.timed("align", models.estimate_flow, i) if flows is None else flows[i]
        robustness = observe(models, frames[i], flow, record)
        record.frame(i, flow, robustness, reference=i == index)
        found[i] = RegisteredFrame(frames[i], flow, packed(robustness))
    views = [found[i] for i in range(len(frames))]
    record.stage("robustness")
    guide = extended([(view.frame, view.flow, unpacked(view.robustness)) for view in views], index)
    level = smooth_level(guide.frame)
    views = [replace(view, precision=precision_map(view.frame, view.flow, level, noise)) for view in views]
    image = demosaic(guide.frame, guide.samples)
    views = [replace(view, filled=imputed(view.frame, view.flow, image)) for view in views]
    same_phase = None
    if tuned.merge.back_projection_iterations > 0:
        same_phase = SamePhaseMean(frames[index], _own_precision(views, index, guide.source, level, noise), guide.samples)
        for view in (view for i, view in enumerate(views) if i != index):
            record.timed("merge", same_phase.add, view.filled or view.frame, view.flow, np.asarray(view.merge_weights(), np.float32))
    return Registered(views, index, noise, same_phase, guide.frame, guide.samples)


def _own_precision(views: Sequence[RegisteredFrame], index: int, source: NDArray[np.int64], level: Floats, noise: Noise) -> Floats:
    """Return the precision, (H/2, W/2), of the samples of the extended reference: that of the frames they are from."""
    out = np.zeros_like(level)
    for i, view in enumerate(views):
        used = source == i
        if used.any():
            out[used] = relative_precision(view.frame, level, noise)[used]
    return out
