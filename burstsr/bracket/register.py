"""Registration of a bracket: as of other bursts, but every exposure is compared with the reference by itself, and weighted by its own noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from burstsr.bracket.blur import bracket_blur
from burstsr.bracket.extended_reference import RootImage, extended, imputed
from burstsr.bracket.guide import UpperBound, guide_of
from burstsr.bracket.outliers import repaired_reference
from burstsr.bracket.pairs import PairModels
from burstsr.bracket.precision import precision_map, relative_precision, smooth_level
from burstsr.core import large_arrays
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.quantise import packed, unpacked
from burstsr.demosaic import demosaic
from burstsr.merge import SamePhaseMean
from burstsr.reconstruct import RegisteredFrame
from burstsr.registration import DETAIL, Registered, observe, with_blur
from burstsr.report import Record
from burstsr.settings import Settings

Floats = NDArray[np.float32]
_SHARP = 0.5  # weight of a longer exposure, for its blur, from which it limits the image
_UNCLIPPED = 0.9  # share of saturation


def register_bracket(frames: list[Frame], index: int, noise: Noise, tuned: Settings, flows: Sequence[Flow] | None, record: Record) -> Registered:
    """Register all frames of a bracket, in common units, against frames[index], as `register_frames` does others, and mend it. noise: of the noisiest frame."""
    record.stage("align")
    models = PairModels(frames, index, tuned, noise)
    found = {i: record.timed("align", models.estimate_flow, i) if flows is None else flows[i] for i in models.order}
    motion = [found[i] for i in range(len(frames))]
    views = _observed(models, motion, record)
    repaired = repaired_reference(models, motion, tuned)
    if repaired is not None:
        frames[index] = repaired.frame
        models, motion = PairModels(frames, index, tuned, noise), repaired.flows
        views = _observed(models, motion, record)
        views[index] = replace(views[index], robustness=large_arrays.kept(packed(repaired.robustness)))
        record.reference_repaired(repaired.robustness)
    record.stage("robustness")
    seen = [(view.frame, view.flow, unpacked(view.robustness)) for view in views]
    highlights = extended(seen, index)
    if tuned.weigh_blur:
        views = with_blur(views, bracket_blur(models, motion, DETAIL[tuned.mode], _precisions(frames, index, highlights.frame, noise)), tuned, record)
    seen = [(view.frame, view.flow, unpacked(view.robustness) * np.float32(view.weight)) for view in views]
    guide = guide_of(seen, index, highlights, noise)
    views = [replace(view, precision=precision_map(view.frame, view.flow, guide.level, noise)) for view in views]
    image = RootImage(demosaic(highlights.frame, guide.samples))
    views = [replace(view, filled=imputed(view.frame, view.flow, image)) for view in views]
    same_phase = None
    if tuned.merge.back_projection_iterations > 0:
        same_phase = SamePhaseMean(frames[index], guide.precision, guide.samples)
        for i, view in enumerate(views):
            weights = np.asarray(view.merge_weights(), np.float32)
            if i in guide.longer:
                weights[guide.longer[i]] = 0  # in the guide already
            if i != index:
                record.timed("merge", same_phase.add, view.filled or view.frame, view.flow, weights)
    limits = [UpperBound.of(*seen[i], frames[index], noise, guide.shown[i]) for i in guide.longer if views[i].weight >= _SHARP]
    return Registered(views, index, noise, same_phase, highlights.frame, guide.samples, limits)


def _observed(models: PairModels, flows: Sequence[Flow], record: Record) -> list[RegisteredFrame]:
    """Return every frame with its flow and packed robustness."""
    views = []
    for i, (frame, flow) in enumerate(zip(models.frames, flows, strict=True)):
        robustness = observe(models, frame, flow, record)
        record.frame(i, flow, robustness, reference=i == models.index)
        views.append(RegisteredFrame(frame, flow, large_arrays.kept(packed(robustness))))
    return views


def _precisions(frames: Sequence[Frame], index: int, reference: Frame, noise: Noise) -> NDArray[np.float64]:
    """Return the precision of every frame's samples relative to that of frames[index], at the median of the levels that it does not clip."""
    level = smooth_level(reference)
    found = []
    for frame in frames:
        seen = level[level < np.float32(_UNCLIPPED * frame.info.levels.saturation)]
        at = np.full((1, 1), np.median(seen) if seen.size else 0, np.float32)
        found.append(float(relative_precision(frame, at, noise)[0, 0] / relative_precision(frames[index], at, noise)[0, 0]))
    return np.array(found)
