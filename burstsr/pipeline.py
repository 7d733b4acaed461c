"""Table of contents: the algorithm, top to bottom, one stage a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from burstsr.align import Aligner, phases, sharpest
from burstsr.covariance import kernels
from burstsr.defects import find_defects, repaired
from burstsr.demosaic import demosaic, enlarge, enlarge_rows
from burstsr.ground.burst import Burst, Frame, Picture
from burstsr.ground.checks import checked
from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.ground.trust import packed
from burstsr.merge import Accumulator, SteadyMean, add_significant, calm_chroma, combine
from burstsr.noise import doubt, noise_of, snr_of
from burstsr.reconstruct import View, reconstruct
from burstsr.record import Record
from burstsr.robustness import Guide
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

    noise, noise_source = noise_of(burst, flows_of)
    record.doubted(doubt(burst, noise, flows_of) if noise_source == "NoiseProfile" else "")
    record.stage("noise")
    defects = find_defects(burst, noise, settings.defects)
    if known_defects is not None:
        defects = np.unique(np.concatenate([defects, known_defects]), axis=0)
    frames = [repaired(frame, defects) for frame in burst]
    record.stage("repair")
    index = sharpest(burst, noise) if settings.reference is None else settings.reference
    reference = frames[index]
    record.stage("choose the reference")

    tuned = settings.for_snr(snr_of(reference, noise))
    kernel = kernels(reference, noise, tuned.covariance)
    aligner = Aligner(reference, noise, tuned.align)
    guide = Guide(reference, noise, tuned.robustness)
    steady = SteadyMean(reference) if tuned.merge.passes > 0 else None
    record.stage("prepare the reference")

    flows, trusts = [], []
    for i, frame in enumerate(frames):
        if known_flows is not None:
            flow = known_flows[i]
        else:
            flow = record.timed("align", aligner.flow_of, frame) if i != index else Flow.zero(frame.info.shape, tuned.align.tile_px)
        trust = record.timed("robustness", guide.trust_of, frame, flow) if i != index else np.ones(kernel.shape[:2], np.float32)
        if i != index and steady:
            record.timed("merge", steady.add, frame, flow, trust)
        record.frame(i, flow, trust, reference=i == index)
        flows.append(flow)
        trusts.append(packed(trust))
    del aligner, guide, trust
    merge = Accumulator(tuned.scale, kernel, tuned.merge.fallback_weight, fallback=enlarge(demosaic(reference), tuned.scale))
    for frame, flow, kept in zip(frames, flows, trusts, strict=True):
        merge.add(frame, flow, kept)
    picture, sums = merge.result()
    weight = sums.astype(np.float16)  # what is left to do needs it roughly
    record.stage("merge")
    del merge, sums

    if steady:
        calmer, fallen = steady.result()
        single = partial(enlarge_rows, demosaic(reference, calmer), tuned.scale)
        combine(picture, weight, single, fallen, noise, tuned.merge.single_significance, tuned.scale)
        record.stage("merge")
        del single, calmer, fallen
    del steady
    for _ in range(tuned.merge.passes if phases(flows, tuned.scale) > 1 else 0):  # frames that saw the same explain nothing new
        unexplained = Accumulator(tuned.scale, kernel, tuned.merge.fallback_weight, explained=picture)
        for frame, flow, kept in zip(frames, flows, trusts, strict=True):
            unexplained.add(frame, flow, kept)
        residual, _ = unexplained.result(weighed=False)
        add_significant(picture, residual, weight, noise, tuned.merge.gain, tuned.merge.significance, tuned.scale)
        record.stage("sharpen")
        del residual, unexplained
    calm_chroma(picture, weight, noise, reference.info.colour.as_shot_neutral, tuned.scale, tuned.merge.chroma_significance)
    record.stage("sharpen")
    if tuned.mode == "best":
        views = [View(*seen) for seen in zip(frames, flows, trusts, strict=True)]
        neutral = reference.info.colour.as_shot_neutral
        outcome = reconstruct(picture, views, index, noise, neutral, tuned.scale, tuned.reconstruct, defects, record.tiles)
        picture = outcome.picture
        record.reconstructed(outcome)
    return record.picture(picture, weight, index, noise, noise_source, len(defects), tuned)


def _flows_of(settings: AlignSettings, reference: Frame, noise: Noise) -> Callable[[Frame], Flow]:
    """What finds flows against a reference: noise cannot be told from structure without them."""
    return Aligner(reference, noise, settings).flow_of
