"""Table of contents: the algorithm, top to bottom, one stage a line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from burstsr.align import Aligner, sharpest
from burstsr.covariance import kernels
from burstsr.defects import find_defects, repaired
from burstsr.demosaic import demosaic, enlarge
from burstsr.ground.burst import Burst, Picture
from burstsr.ground.errors import SettingsError
from burstsr.ground.flow import Flow
from burstsr.merge import Accumulator
from burstsr.noise import noise_of, snr_of
from burstsr.record import Record
from burstsr.robustness import Guide
from burstsr.settings import Settings

Progress = Callable[[str, int, int], None]


def super_resolve(burst: Burst, settings: Settings | None = None, progress: Progress | None = None) -> Picture:
    """One picture from a burst.

    burst: N >= 1 frames, (H, W) each. Returns a Picture of (round(s H), round(s W), 3) linear camera RGB, in the reference frame's geometry.
    progress is called with (stage, done, total). Raises SettingsError where settings do not fit the burst.
    """
    settings = settings or Settings()
    record = Record(burst, settings, progress)

    noise, noise_source = noise_of(burst, settings.reference or 0)
    defects = find_defects(burst, noise, settings.defects)
    record.stage("repair")
    index = _reference(burst, settings) if settings.reference is not None else sharpest(burst, noise)
    reference = repaired(burst.frames[index], defects)
    record.stage("choose the reference")

    tuned = settings.for_snr(snr_of(reference, noise))
    kernel = kernels(reference, noise, tuned.covariance)
    aligner = Aligner(reference, noise, tuned.align)
    guide = Guide(reference, noise, tuned.robustness)
    merge = Accumulator(tuned.scale, kernel, enlarge(demosaic(reference), tuned.scale), tuned.merge)
    merge.add(reference, Flow.zero(reference.info.shape, tuned.align.tile_px), np.ones(kernel.shape[:2], np.float32))
    record.frame(index, None, None)
    record.stage("prepare the reference")

    for i in (i for i in range(len(burst)) if i != index):
        frame = repaired(burst.frames[i], defects)
        flow = record.timed("align", aligner.flow_of, frame)
        trust = record.timed("robustness", guide.trust_of, frame, flow)
        record.timed("merge", merge.add, frame, flow, trust)
        record.frame(i, flow, trust)

    rgb, weight = record.timed("finish the merge", merge.result)
    return record.picture(rgb, weight, index, noise, noise_source, len(defects), tuned)


def _reference(burst: Burst, settings: Settings) -> int:
    index = settings.reference or 0
    if index >= len(burst):
        raise SettingsError(f"reference = {index}: burst {burst.name!r} has {len(burst)} frames, allowed is 0 to {len(burst) - 1}")
    return index
