"""Registration: flow and robustness of each frame. The reference is a frame with zero motion and full robustness."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner, FrameBlur, frame_blur
from burstsr.core import large_arrays
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.quantise import packed
from burstsr.defects import refilled
from burstsr.merge import SamePhaseMean
from burstsr.reconstruct import RegisteredFrame
from burstsr.report import Record
from burstsr.robustness import MIN_ROBUSTNESS, RobustnessModel, repair_reference
from burstsr.settings import Settings

DETAIL = {"fast": 1.0, "best": 10.0}  # weight of detail relative to noise; the reconstruction denoises by itself

EstimateFlow = Callable[[int], Flow]
Limit = Callable[[NDArray[np.float32], float], None]


@dataclass(frozen=True)
class Registered:
    """A registered burst. views: its frames with flow and robustness; views[reference] is the frame whose geometry the result has.

    same_phase: all frames on the reference's own sampling grid, see `SamePhaseMean`; consumed by `develop`. None: not collected.
    extended: of a bracket, the reference with what it clips filled in from shorter exposures, None: the reference. extended_samples: the same as (H, W)
    samples, not quantised, averaged with longer exposures. limits: by longer exposures, functions that limit an image (H', W', 3) of a scale in place.
    """

    views: Sequence[RegisteredFrame]
    reference: int
    noise: Noise
    same_phase: SamePhaseMean | None
    extended: Frame | None = None
    extended_samples: NDArray[np.float32] | None = None
    limits: Sequence[Limit] = ()

    @property
    def guide(self) -> Frame:
        """Return the frame that represents the scene: the reference, extended if it is that of a bracket."""
        return self.extended or self.views[self.reference].frame


def without_repaired_samples(burst: Registered, frames: list[Frame], defects: NDArray[np.int64]) -> Registered:
    """Return the burst with samples that were repaired replaced by what the other frames show there; `frames` too, so that no copy stays in memory."""
    if len(defects) == 0:
        return burst
    views = list(burst.views)
    frames[:] = refilled([v.frame for v in views], [v.flow for v in views], [v.robustness for v in views], defects)
    return replace(burst, views=[replace(view, frame=frame) for view, frame in zip(views, frames, strict=True)])


@dataclass(frozen=True)
class Registration:
    """Motion of a burst. reference: index of the reference frame. flows: one per frame; None: the frame shows another scene."""

    reference: int
    flows: tuple[Flow | None, ...]


def register_frames(frames: list[Frame], index: int, noise: Noise, tuned: Settings, flows: Sequence[Flow] | None, record: Record) -> Registered:
    """Register all frames against frames[index], which is replaced where it is an outlier: where the others agree against it.

    flows: known motion; None: estimated.
    """
    record.stage("prepare the reference")
    model, same_phase = _models(frames[index], noise, tuned)
    views = _observed(frames, _flow_source(frames, index, noise, tuned, flows, record), index, (model, same_phase), record)
    record.stage("robustness")
    repaired = repair_reference(frames, index, [view.flow for view in views], model, noise)
    if repaired is not None:
        frames[index] = repaired.frame
        model, same_phase = _models(repaired.frame, noise, tuned, repaired.robustness)
        views = _observed(frames, repaired.flows.__getitem__, index, (model, same_phase), record)
        views[index] = RegisteredFrame(repaired.frame, repaired.flows[index], packed(repaired.robustness))
        record.reference_repaired(repaired.robustness)
    return Registered(_weighted(views, index, noise, tuned, record) if tuned.weigh_blur else views, index, noise, same_phase)


def _weighted(views: Sequence[RegisteredFrame], index: int, noise: Noise, tuned: Settings, record: Record) -> list[RegisteredFrame]:
    """Return the views with their blur against the reference, and the weights that it leaves them in the merge."""
    return with_blur(views, frame_blur([view.frame for view in views], [view.flow for view in views], index, noise, DETAIL[tuned.mode]), tuned, record)


def with_blur(views: Sequence[RegisteredFrame], blur: FrameBlur, tuned: Settings, record: Record) -> list[RegisteredFrame]:
    """Return views with their blur and the weights that it leaves them, and record them."""
    used = [b.reliability if b and tuned.mode == "best" else float(w) for b, w in zip(blur.blurs, blur.weights, strict=True)]
    record.blurred(blur.blur_px, np.array(used))
    return [replace(view, weight=float(weight), blur=b) for view, weight, b in zip(views, blur.weights, blur.blurs, strict=True)]


def _flow_source(frames: Sequence[Frame], index: int, noise: Noise, tuned: Settings, flows: Sequence[Flow] | None, record: Record) -> EstimateFlow:
    """Return a function that gives each frame's flow against frames[index]; it holds pyramids: not to be stored."""
    if flows is not None:
        record.stage("robustness")
        return flows.__getitem__
    aligner = Aligner(frames[index], noise, tuned.align)
    record.stage("align")
    return lambda i: record.timed("align", aligner.estimate_flow, frames[i])


def _models(reference: Frame, noise: Noise, tuned: Settings, robustness: NDArray[np.float32] | None = None) -> tuple[RobustnessModel, SamePhaseMean | None]:
    """Return the models of the reference: for robustness, and for its own sampling grid. robustness: of its own samples; None = full."""
    return RobustnessModel(reference, noise, tuned.robustness), SamePhaseMean(reference, robustness) if tuned.merge.back_projection_iterations > 0 else None


def _observed(
    frames: Sequence[Frame], estimate_flow: EstimateFlow, index: int, models: tuple[RobustnessModel, SamePhaseMean | None], record: Record
) -> list[RegisteredFrame]:
    """Return every frame with its flow and packed robustness, and add it to the reference's own sampling grid."""
    model, same_phase = models
    views = []
    for i, frame in enumerate(frames):
        flow = estimate_flow(i)
        robustness = observe(model, frame, flow, record)
        if same_phase:
            record.timed("merge", same_phase.add, frame, flow, robustness)
        record.frame(i, flow, robustness, reference=i == index)
        views.append(RegisteredFrame(frame, flow, large_arrays.kept(packed(robustness))))
    return views


class _Robustness(Protocol):
    def robustness_map(self, frame: Frame, flow: Flow, /) -> NDArray[np.float32]: ...


def observe(model: _Robustness, frame: Frame, flow: Flow, record: Record) -> NDArray[np.float32]:
    """Return the (H/2, W/2) robustness of a frame, zero where agreement is insignificant."""
    robustness = record.timed("robustness", model.robustness_map, frame, flow)
    if robustness.mean(dtype=np.float64) < MIN_ROBUSTNESS:
        robustness[:] = 0
    return robustness
