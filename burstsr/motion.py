"""Motion of a burst without merging it."""

from __future__ import annotations

from burstsr.align import Aligner
from burstsr.bracket import PairModels, bracket_of
from burstsr.core.burst import Burst
from burstsr.core.checks import checked
from burstsr.core.flow import Flow
from burstsr.core.mono import with_equal_channels
from burstsr.noise import estimate_snr
from burstsr.prepare import choose_reference, choose_scene, repair_defects, resolve_noise
from burstsr.registration import Registration
from burstsr.report import Cancel, Progress, Record
from burstsr.settings import Settings


def register(burst: Burst, settings: Settings | None = None, *, progress: Progress | None = None, cancel: Cancel | None = None) -> Registration:
    """Estimate the motion of a burst's frames against `settings.reference`, or else the sharpest frame, as `super_resolve` does before merging.

    Raises BurstError, SettingsError as `super_resolve` does, Cancelled.
    """
    settings = settings or Settings()
    checked(burst, settings.reference, None, None)
    record = Record(burst, settings, progress, cancel)
    scene, members = choose_scene(with_equal_channels(burst), settings, None, record)
    chosen = None if settings.reference is None else members.index(settings.reference)
    bracket = bracket_of(scene, chosen, record)
    noise = (resolve_noise(scene, settings, record) if bracket is None else bracket.noise).model
    frames, _ = repair_defects(scene if bracket is None else bracket.burst, noise, settings, None, record)
    index = choose_reference(scene, noise, chosen, record) if bracket is None else bracket.reference
    record.stage("align")
    tuned = settings.for_snr(estimate_snr(frames[index], frames[index].noise(noise)))
    flows: list[Flow | None] = [None] * len(burst)
    if bracket is None:
        aligner = Aligner(frames[index], noise, tuned.align)
        for i, frame in zip(members, frames, strict=True):
            flows[i] = record.timed("align", aligner.estimate_flow, frame)
    else:
        models = PairModels(frames, index, tuned, noise)
        for k in models.order:
            flows[members[k]] = record.timed("align", models.estimate_flow, k)
    return Registration(members[index], tuple(flows))
