"""Preparation of a burst before registration: selection of the scene, noise model, defective pixels, choice of the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from burstsr import noise as noise_stage
from burstsr.align import Aligner, scenes, select_reference
from burstsr.core.burst import Burst, Frame
from burstsr.core.checks import check_burst
from burstsr.core.flow import Flow
from burstsr.core.mono import equal_channels, one_channel, with_equal_channels
from burstsr.core.noise import Noise
from burstsr.defects import find_defects, repair_pixels
from burstsr.noise import check_agreement, check_noise_profile, estimate_snr
from burstsr.report import Record
from burstsr.robustness import RobustnessModel
from burstsr.settings import AlignSettings, Settings

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class NoiseEstimate:
    """A burst's noise model and its source: "NoiseProfile", "estimated from the burst", or "estimated" (from single frames)."""

    model: Noise
    source: str


def choose_scene(burst: Burst, settings: Settings, flows: Sequence[Flow] | None, record: Record) -> tuple[Burst, list[int]]:
    """Return the frames of the scene, and their indices; all, where their motion is known."""
    record.stage("choose the scene")
    groups = scenes(burst, settings.reference) if flows is None else [list(range(len(burst)))]
    record.scenes(groups)
    return Burst(burst.name, tuple(burst.frames[i] for i in groups[0])), groups[0]


def resolve_noise(burst: Burst, settings: Settings, record: Record) -> NoiseEstimate:
    """Return the noise model of the frames: from their files, or estimated; raised where well-aligned frames differ by more."""
    record.stage("noise")
    settings = replace(settings, align=replace(settings.align, refine=False))  # noise is measured where motion is simple
    make_aligner = partial(_make_aligner, settings.align)
    noise, source = noise_stage.estimate_noise(burst, make_aligner)
    record.noise_warning(check_noise_profile(burst, noise, make_aligner) if source == "NoiseProfile" else "")
    noise, factor, why = check_agreement(burst, noise, partial(make_registrar, settings))
    record.raised(factor, why)
    if burst.info.cfa.is_mono:
        noise = equal_channels(noise)
    return NoiseEstimate(replace(noise, gain=burst.info.gain), source)


def repair_defects(burst: Burst, noise: Noise, settings: Settings, bad_pixels: Positions | None, record: Record) -> tuple[list[Frame], Positions]:
    """Repair defective pixels; return the frames and (n, 2) raw (y, x) of defects, detected and given; none with `settings.defects.repair` off."""
    record.stage("repair")
    defects = find_defects(burst, noise, settings.defects)
    if bad_pixels is not None and settings.defects.repair:
        defects = np.unique(np.concatenate([defects, bad_pixels]), axis=0)
    return [repair_pixels(frame, defects) for frame in burst], defects


def choose_reference(burst: Burst, noise: Noise, chosen: int | None, record: Record) -> int:
    """Return the index of the reference: the requested one, or the sharpest."""
    record.stage("choose the reference")
    return select_reference(burst, noise) if chosen is None else chosen


def estimate_noise(burst: Burst, settings: Settings | None = None) -> NoiseEstimate:
    """Estimate the noise of a burst's samples: `variance = alpha x + beta` for each channel, 0 = black, 1 = saturation.

    From the files' NoiseProfile if they have one, else measured over the frames; raised where well-aligned frames differ by more.
    Raises BurstError for frames that are not a burst.
    """
    check_burst(burst)
    settings = settings or Settings()
    found = resolve_noise(with_equal_channels(burst), settings, Record(burst, settings))
    return replace(found, model=one_channel(found.model)) if burst.info.cfa.is_mono else found


def _make_aligner(settings: AlignSettings, reference: Frame, noise: Noise) -> Callable[[Frame], Flow]:
    """Return a function that estimates the flow of a frame against the reference; needed to separate noise from structure."""
    return Aligner(reference, noise, settings).estimate_flow


def make_registrar(settings: Settings, reference: Frame, noise: Noise) -> Callable[[Frame], tuple[Flow, NDArray[np.float32]]]:
    """Return a function that estimates the flow of a frame against the reference, and its robustness."""
    tuned = settings.for_snr(estimate_snr(reference, noise))
    aligner, model = Aligner(reference, noise, tuned.align), RobustnessModel(reference, noise, tuned.robustness)

    def register(frame: Frame) -> tuple[Flow, NDArray[np.float32]]:
        flow = aligner.estimate_flow(frame)
        return flow, model.robustness_map(frame, flow)

    return register
