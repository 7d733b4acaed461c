"""Table of contents: the algorithm, top to bottom, one stage a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner, scenes, select_reference
from burstsr.core.burst import Burst, Frame
from burstsr.core.checks import checked
from burstsr.core.deprecated import renamed_argument
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.quantise import packed
from burstsr.core.result import Result
from burstsr.defects import find_defects, repair_pixels
from burstsr.develop import Registered, merged
from burstsr.merge import SamePhaseMean
from burstsr.noise import check_noise_profile, estimate_noise, estimate_snr, questioned
from burstsr.output_noise import output_noise
from burstsr.reconstruct import RegisteredFrame, reconstruct
from burstsr.report import Finished, Record
from burstsr.robustness import LEAST_TRUST, RobustnessModel, mended
from burstsr.settings import AlignSettings, Settings

Progress = Callable[[str, int, int], None]


def super_resolve(
    burst: Burst,
    settings: Settings | None = None,
    progress: Progress | None = None,
    flows: Sequence[Flow] | None = None,
    bad_pixels: NDArray[np.int64] | None = None,
    known_flows: Sequence[Flow] | None = None,
    known_defects: NDArray[np.int64] | None = None,
) -> Result:
    """One image from a burst.

    burst: N >= 1 frames, (H, W) each. Returns a Result of (round(s H), round(s W), 3) linear camera RGB, in the reference frame's geometry.
    progress is called with (stage, done, total). flows: one per frame against the reference of `settings.reference`, where motion is known
    (simulation, driven mounts); else it is estimated. bad_pixels: (n, 2) raw (y, x) of pixels to repair beside those that are found.
    known_flows, known_defects: their old names, for one release.
    Raises BurstError for frames that are no burst, SettingsError where settings, flows or defects do not fit it (`burstsr.core.checks`).
    """
    settings = settings or Settings()
    flows = renamed_argument("flows", flows, "known_flows", known_flows)
    bad_pixels = renamed_argument("bad_pixels", bad_pixels, "known_defects", known_defects)
    flows, bad_pixels = checked(burst, settings.reference, flows, bad_pixels)
    flows_of = partial(_flows_of, settings.align)
    record = Record(burst, settings, progress)

    groups = scenes(burst, settings.reference) if flows is None else [list(range(len(burst)))]
    shown = groups[0]
    record.scenes(groups)
    burst = Burst(burst.name, tuple(burst.frames[i] for i in shown))
    record.stage("choose the scene")
    noise, noise_source = estimate_noise(burst, flows_of)
    record.doubted(check_noise_profile(burst, noise, flows_of) if noise_source == "NoiseProfile" else "")
    noise, factor, why = questioned(burst, noise, partial(_looks_of, settings))
    record.raised(factor, why)
    record.stage("noise")
    defects = find_defects(burst, noise, settings.defects)
    if bad_pixels is not None:
        defects = np.unique(np.concatenate([defects, bad_pixels]), axis=0)
    frames = [repair_pixels(frame, defects) for frame in burst]
    record.stage("repair")
    index = select_reference(burst, noise) if settings.reference is None else shown.index(settings.reference)
    reference = frames[index]
    record.stage("choose the reference")

    tuned = settings.for_snr(estimate_snr(reference, noise))
    estimate_flow = flows.__getitem__ if flows is not None else _aligned(frames, index, Aligner(reference, noise, tuned.align), record)
    guide, steady = _beside(reference, noise, tuned)
    record.stage("prepare the reference")
    flows, robustness_maps = _registered(frames, index, estimate_flow, guide, steady, record)
    del estimate_flow
    mending = mended(frames, index, flows, guide, noise)
    if mending is not None:  # where the other frames agree against the reference, they are right
        frames[index] = reference = mending.frame
        guide, steady = _beside(reference, noise, tuned, mending.robustness)
        flows, robustness_maps = _registered(frames, index, mending.flows.__getitem__, guide, steady, record)
        robustness_maps[index] = packed(mending.robustness)
        record.mended(mending.robustness)
    del guide, mending
    record.stage("robustness")
    views = [RegisteredFrame(*seen) for seen in zip(frames, flows, robustness_maps, strict=True)]
    registered = Registered(views, index, noise, steady)
    image = merged(registered, tuned, record.stage)
    outcome = None
    if tuned.mode == "best":
        neutral = reference.info.colour.as_shot_neutral
        outcome = reconstruct(image, views, index, noise, neutral, tuned.scale, tuned.reconstruct, defects, record.tiles)
        image = outcome.image
        record.reconstructed(outcome)
    left = output_noise(registered, tuned, outcome) if tuned.measure_noise else None
    record.stage("noise left")
    report = record.report((image.shape[0], image.shape[1]), Finished(index, noise, noise_source, len(defects), tuned, left))
    return Result(image, reference.info, settings.scale, left, report, report.provenance)


def _aligned(frames: Sequence[Frame], index: int, aligner: Aligner, record: Record) -> Callable[[int], Flow]:
    """What finds each frame's flow against the reference, frames[index]."""

    def estimate_flow(i: int) -> Flow:
        return record.timed("align", aligner.estimate_flow, frames[i]) if i != index else aligner.no_motion

    return estimate_flow


def _beside(reference: Frame, noise: Noise, tuned: Settings, robustness: NDArray[np.float32] | None = None) -> tuple[RobustnessModel, SamePhaseMean | None]:
    """What the other frames are laid beside: the reference as robustness sees it, and its own sampling grid. trust: of its own samples; None = full."""
    return RobustnessModel(reference, noise, tuned.robustness), SamePhaseMean(reference, robustness) if tuned.merge.back_projection_iterations > 0 else None


def _registered(
    frames: Sequence[Frame], index: int, estimate_flow: Callable[[int], Flow], guide: RobustnessModel, steady: SamePhaseMean | None, record: Record
) -> tuple[list[Flow], list[NDArray[np.uint8]]]:
    """Flow and packed trust of every frame; those but the reference are added to `steady`."""
    flows, robustness_maps = [], []
    for i, frame in enumerate(frames):
        flow = estimate_flow(i)
        robustness = record.timed("robustness", guide.robustness_map, frame, flow) if i != index else guide.full_trust
        if robustness.mean(dtype=np.float64) < LEAST_TRUST:  # what little agrees is chance
            robustness[:] = 0
        if i != index and steady:
            record.timed("merge", steady.add, frame, flow, robustness)
        record.frame(i, flow, robustness, reference=i == index)
        flows.append(flow)
        robustness_maps.append(packed(robustness))
    return flows, robustness_maps


def _flows_of(settings: AlignSettings, reference: Frame, noise: Noise) -> Callable[[Frame], Flow]:
    """What finds flows against a reference: noise cannot be told from structure without them."""
    return Aligner(reference, noise, settings).estimate_flow


def _looks_of(settings: Settings, reference: Frame, noise: Noise) -> Callable[[Frame], tuple[Flow, NDArray[np.float32]]]:
    """What finds flows against a reference, and how far to trust what they show."""
    tuned = settings.for_snr(estimate_snr(reference, noise))
    aligner, guide = Aligner(reference, noise, tuned.align), RobustnessModel(reference, noise, tuned.robustness)

    def look(frame: Frame) -> tuple[Flow, NDArray[np.float32]]:
        flow = aligner.estimate_flow(frame)
        return flow, guide.robustness_map(frame, flow)

    return look
