"""Table of contents: the algorithm, top to bottom, one stage a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from burstsr.bracket import bracket_of, register_bracket
from burstsr.core.burst import Burst
from burstsr.core.checks import checked
from burstsr.core.deprecated import renamed_argument
from burstsr.core.flow import Flow
from burstsr.core.large_arrays import arrays_on_disk
from burstsr.core.mono import one_channel, with_equal_channels
from burstsr.core.parallel import limited_threads
from burstsr.core.peak_memory import peak_bytes
from burstsr.core.result import Result
from burstsr.core.window import region_of_interest
from burstsr.develop import SingleFrameImage, develop, reconstructed, safeguarded
from burstsr.lateral import choose_lateral
from burstsr.lens import with_lens_blur
from burstsr.noise import estimate_snr
from burstsr.output_noise import output_noise, variance_map
from burstsr.prepare import choose_reference, choose_scene, repair_defects, resolve_noise
from burstsr.reconstruct import Task
from burstsr.region import cut_to_region
from burstsr.registration import register_frames, without_repaired_samples
from burstsr.report import Cancel, Finished, Progress, Record
from burstsr.settings import Settings

_T = TypeVar("_T")


def super_resolve(
    burst: Burst,
    settings: Settings | None = None,
    progress: Progress | None = None,
    flows: Sequence[Flow] | None = None,
    bad_pixels: NDArray[np.int64] | None = None,
    known_flows: Sequence[Flow] | None = None,
    known_defects: NDArray[np.int64] | None = None,
    *,
    n_threads: int | None = None,
    cancel: Cancel | None = None,
    keep_maps: bool = False,
    memory_limit: int | None = None,
) -> Result:
    """Make one image from a burst.

    burst: N >= 1 frames, (H, W) each. Returns a Result of (round(s H), round(s W), 3) linear camera RGB, of monochrome frames
    (round(s H), round(s W), 1), in the reference frame's geometry.
    progress is called with (stage, done, total). flows: one per frame against the reference of `settings.reference`, where motion is known
    (simulation, driven mounts); else it is estimated. bad_pixels: (n, 2) raw (y, x) of pixels to repair beside those that are found;
    with `settings.defects.repair` off neither are.
    n_threads: cores to use for this call; None or 0: as before it. cancel: a function or a threading.Event, asked between stages, frames and tiles.
    With a region of interest (`settings.crop`, `settings.zoom`) frames are registered as a whole, and the result shows that part of the reference.
    keep_maps: the result has maps of weight, noise variance and robustness, which otherwise nobody holds in memory; the image is the same.
    memory_limit: bytes; where images of the result's size would need more, they are kept in temporary files, and go through every stage in strips. The image,
    which is the same, is then such a file too, mapped into memory: use it a few rows at a time. None: all in memory.
    known_flows, known_defects: their old names, for one release.
    Raises BurstError for frames that are no burst, SettingsError where settings, flows or defects do not fit it (`burstsr.core.checks`), Cancelled.
    """
    settings = settings or Settings()
    flows = renamed_argument("flows", flows, "known_flows", known_flows)
    bad_pixels = renamed_argument("bad_pixels", bad_pixels, "known_defects", known_defects)
    flows, bad_pixels = checked(burst, settings.reference, flows, bad_pixels)
    region_of_interest(settings.crop, settings.zoom, burst.info.shape)
    need = peak_bytes(burst.info.shape, len(burst), settings.scale, maps=keep_maps)
    with limited_threads(n_threads), arrays_on_disk(burst.info.path.parent, memory_limit is not None and need > memory_limit):
        record = Record(burst, settings, progress, cancel)
        scene, members = choose_scene(with_equal_channels(burst), settings, flows, record)
        chosen = None if settings.reference is None else members.index(settings.reference)
        bracket = bracket_of(scene, chosen, record)
        noise = resolve_noise(scene, settings, record) if bracket is None else bracket.noise
        frames, defects = repair_defects(scene if bracket is None else bracket.burst, noise.model, settings, bad_pixels, record)
        index = choose_reference(scene, noise.model, chosen, record) if bracket is None else bracket.reference
        tuned = settings.for_snr(estimate_snr(frames[index], frames[index].noise(noise.model)))
        registered = (register_frames if bracket is None else register_bracket)(frames, index, noise.model, tuned, flows, record)
        registered = without_repaired_samples(registered, frames, defects) if bracket is None else registered
        lateral = choose_lateral(registered, tuned, record) if tuned.mode == "best" else None
        tuned = with_lens_blur(registered, defects, tuned, lateral, record)
        motion = [view.flow for view in registered.views]
        registered, defects, region = cut_to_region(registered, defects, settings)
        lateral = lateral and lateral.cropped(region.window.top, region.window.left)
        image, weight = develop(registered, tuned, record.stage, keep_weight=keep_maps)
        neutral = registered.guide.info.colour.as_shot_neutral
        alone = SingleFrameImage(registered.guide, tuned.scale, registered.extended_samples) if tuned.safeguard else None
        lens = tuned.reconstruct.lens(burst.info.shape).cropped(region.window.top, region.window.left)
        task = Task(image, registered.views, index, registered.noise, neutral, tuned.scale, tuned.reconstruct, defects, alone=alone, lateral=lateral, lens=lens)
        image, outcome = reconstructed(task, record) if tuned.mode == "best" else (safeguarded(task, record), None)
        record.stage("residual noise")
        left = output_noise(registered, tuned, outcome) if tuned.measure_noise else None
        variance = None if weight is None else variance_map(image, weight, left, registered.noise, settings.scale)
        model, given = left.model if left else None, noise.model
        image, weight, variance = region.cut(image), region.cut(weight), region.cut(variance)
        if bracket is not None:
            image, variance, model, given = bracket.in_reference_units(image, variance, model)
        if burst.info.cfa.is_mono:
            image, weight, variance, model, given = one_channel(image), one_channel(weight), one_channel(variance), one_channel(model), one_channel(given)
    report = record.report((image.shape[0], image.shape[1]), Finished(index, given, noise.source, len(defects), tuned, model))
    peak = 1.0 if bracket is None else max(bracket.peak, 1.0)
    info = region.info(burst.frames[members[index]].info)
    robustness_maps = _for_all_frames(burst, members, [region.cells(view.robustness) for view in registered.views]) if keep_maps else ()
    found = _for_all_frames(burst, members, motion)
    return Result(image, info, settings.scale, model, report, report.provenance, found, weight, variance, robustness_maps, peak, region.origin)


def _for_all_frames(burst: Burst, members: Sequence[int], values: Sequence[_T]) -> tuple[_T | None, ...]:
    """Return the values of the scene's frames for every frame of the burst; None for frames of another scene."""
    of = dict(zip(members, values, strict=True))
    return tuple(of.get(i) for i in range(len(burst)))
