"""Table of contents: the algorithm, top to bottom, one stage a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner, scenes, sharpest
from burstsr.defects import find_defects, repaired
from burstsr.develop import Registered, merged
from burstsr.ground.burst import Burst, Frame, Picture
from burstsr.ground.checks import checked
from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.ground.trust import packed
from burstsr.merge import SteadyMean
from burstsr.noise import doubt, noise_of, questioned, snr_of
from burstsr.noise_left import noise_left
from burstsr.reconstruct import View, reconstruct
from burstsr.record import Record
from burstsr.robustness import LEAST_TRUST, Guide, mended
from burstsr.settings import AlignSettings, Settings

Progress = Callable[[str, int, int], None]


def super_resolve(
    burst: Burst,
    settings: Settings | None = None,
    progress: Progress | None = None,
    known_flows: Sequence[Flow] | None = None,
    known_defects: NDArray[np.int64] | None = None,
) -> Picture:
    """One picture from a burst.

    burst: N >= 1 frames, (H, W) each. Returns a Picture of (round(s H), round(s W), 3) linear camera RGB, in the reference frame's geometry.
    progress is called with (stage, done, total). known_flows: one per frame against the reference of `settings.reference`, where motion is known
    (simulation, driven mounts); else it is estimated. known_defects: (n, 2) raw (y, x) of pixels to repair beside those that are found.
    Raises BurstError for frames that are no burst, SettingsError where settings, flows or defects do not fit it (`burstsr.ground.checks`).
    """
    settings = settings or Settings()
    known_flows, known_defects = checked(burst, settings.reference, known_flows, known_defects)
    flows_of = partial(_flows_of, settings.align)
    record = Record(burst, settings, progress)

    groups = scenes(burst, settings.reference) if known_flows is None else [list(range(len(burst)))]
    shown = groups[0]
    record.scenes(groups)
    burst = Burst(burst.name, tuple(burst.frames[i] for i in shown))
    record.stage("choose the scene")
    noise, noise_source = noise_of(burst, flows_of)
    record.doubted(doubt(burst, noise, flows_of) if noise_source == "NoiseProfile" else "")
    noise, factor, why = questioned(burst, noise, partial(_looks_of, settings))
    record.raised(factor, why)
    record.stage("noise")
    defects = find_defects(burst, noise, settings.defects)
    if known_defects is not None:
        defects = np.unique(np.concatenate([defects, known_defects]), axis=0)
    frames = [repaired(frame, defects) for frame in burst]
    record.stage("repair")
    index = sharpest(burst, noise) if settings.reference is None else shown.index(settings.reference)
    reference = frames[index]
    record.stage("choose the reference")

    tuned = settings.for_snr(snr_of(reference, noise))
    flow_of = known_flows.__getitem__ if known_flows is not None else _aligned(frames, index, Aligner(reference, noise, tuned.align), record)
    guide, steady = _beside(reference, noise, tuned)
    record.stage("prepare the reference")
    flows, trusts = _registered(frames, index, flow_of, guide, steady, record)
    del flow_of
    mending = mended(frames, index, flows, guide, noise)
    if mending is not None:  # where the other frames agree against the reference, they are right
        frames[index] = reference = mending.frame
        guide, steady = _beside(reference, noise, tuned, mending.trust)
        flows, trusts = _registered(frames, index, mending.flows.__getitem__, guide, steady, record)
        trusts[index] = packed(mending.trust)
        record.mended(mending.trust)
    del guide, mending
    record.stage("robustness")
    views = [View(*seen) for seen in zip(frames, flows, trusts, strict=True)]
    registered = Registered(views, index, noise, steady)
    picture = merged(registered, tuned, record.stage)
    outcome = None
    if tuned.mode == "best":
        neutral = reference.info.colour.as_shot_neutral
        outcome = reconstruct(picture, views, index, noise, neutral, tuned.scale, tuned.reconstruct, defects, record.tiles)
        picture = outcome.picture
        record.reconstructed(outcome)
    left = noise_left(registered, tuned, outcome)
    record.stage("noise left")
    return record.picture(picture, left, index, noise, noise_source, len(defects), tuned)


def _aligned(frames: Sequence[Frame], index: int, aligner: Aligner, record: Record) -> Callable[[int], Flow]:
    """What finds each frame's flow against the reference, frames[index]."""

    def flow_of(i: int) -> Flow:
        return record.timed("align", aligner.flow_of, frames[i]) if i != index else aligner.no_motion

    return flow_of


def _beside(reference: Frame, noise: Noise, tuned: Settings, trust: NDArray[np.float32] | None = None) -> tuple[Guide, SteadyMean | None]:
    """What the other frames are laid beside: the reference as robustness sees it, and its own sampling grid. trust: of its own samples; None = full."""
    return Guide(reference, noise, tuned.robustness), SteadyMean(reference, trust) if tuned.merge.passes > 0 else None


def _registered(
    frames: Sequence[Frame], index: int, flow_of: Callable[[int], Flow], guide: Guide, steady: SteadyMean | None, record: Record
) -> tuple[list[Flow], list[NDArray[np.uint8]]]:
    """Flow and packed trust of every frame; those but the reference are added to `steady`."""
    flows, trusts = [], []
    for i, frame in enumerate(frames):
        flow = flow_of(i)
        trust = record.timed("robustness", guide.trust_of, frame, flow) if i != index else guide.full_trust
        if trust.mean(dtype=np.float64) < LEAST_TRUST:  # what little agrees is chance
            trust[:] = 0
        if i != index and steady:
            record.timed("merge", steady.add, frame, flow, trust)
        record.frame(i, flow, trust, reference=i == index)
        flows.append(flow)
        trusts.append(packed(trust))
    return flows, trusts


def _flows_of(settings: AlignSettings, reference: Frame, noise: Noise) -> Callable[[Frame], Flow]:
    """What finds flows against a reference: noise cannot be told from structure without them."""
    return Aligner(reference, noise, settings).flow_of


def _looks_of(settings: Settings, reference: Frame, noise: Noise) -> Callable[[Frame], tuple[Flow, NDArray[np.float32]]]:
    """What finds flows against a reference, and how far to trust what they show."""
    tuned = settings.for_snr(snr_of(reference, noise))
    aligner, guide = Aligner(reference, noise, tuned.align), Guide(reference, noise, tuned.robustness)

    def look(frame: Frame) -> tuple[Flow, NDArray[np.float32]]:
        flow = aligner.flow_of(frame)
        return flow, guide.trust_of(frame, flow)

    return look
