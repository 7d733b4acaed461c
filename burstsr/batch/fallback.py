"""`process --fallback`: upscaling of bursts without sub-pixel resolution, because a single frame is usable, or all have the same sub-pixel phase."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from burstsr.core.errors import BurstError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from burstsr.batch.job import Job
    from burstsr.core.result import Result
    from burstsr.profiles.apply import CalibratedBurst
    from single.inference import Upscaler

FALLBACK = "merge"  # nothing invented: the merged image, unchanged
FALLBACKS = ("none", FALLBACK, "zoom", "srmd", "srmd-noise", "srresnet", "srcnn", "srgan", "esrgan", "realesrgan")  # or a file of weights
OLD_NAMES = {"lanczos": FALLBACK}  # accepted for one release; nothing was ever resampled with Lanczos
_CLASSICAL = FALLBACKS[:2]
_LEAST_ROBUSTNESS = 0.05  # mean robustness of a usable frame
_ONE, _ONE_USABLE, _TRIPOD = "one frame", "one usable frame", "no sub-pixel phase"
Progress = Callable[[str, int, int], None]


def check(fallback: str, scale: float) -> None:
    """Raise SettingsError where the network's weights, or torch, are missing."""
    if fallback not in _CLASSICAL:
        from single.inference import Request
        from single.inference import check as check_request

        check_request(Request(fallback, scale))


def reason(result: Result, scale: float) -> str:
    """Return why a merged image has no more resolution than one frame, or '' where it has, or where the scale is 1."""
    report: Mapping[str, Any] = result.report
    if scale == 1:
        return ""
    if len(report["frames"]) == 1:
        return _ONE
    if sum(frame["reference"] or frame["robustness"] >= _LEAST_ROBUSTNESS for frame in report["frames"]) == 1:
        return _ONE_USABLE
    return _TRIPOD if report["subpixel_phases"] == 1 else ""


def is_learned(fallback: str) -> bool:
    """Whether the fallback is a network, which needs the frames again."""
    return fallback not in _CLASSICAL


def renamed(fallback: object) -> object:
    """Return the current name of a fallback given by its old name on a command line or in a record.

    >>> renamed("lanczos"), renamed("zoom"), renamed(None)
    ('merge', 'zoom', None)
    """
    return OLD_NAMES.get(fallback, fallback) if isinstance(fallback, str) else fallback


def applied(result: Result, job: Job, why: str, ready: CalibratedBurst | None, progress: Progress | None) -> Result:
    """Return the image of the job's fallback; for the merge, or none on a tripod, `result` itself with an updated report.

    ready: the merged burst with its calibration; required where the fallback is learned.
    Raises BurstError for none with a single usable frame.
    """
    if job.fallback == "none" and why != _TRIPOD:
        raise BurstError(f"{job.name}: {why}, and --fallback none: nothing to merge")
    if job.fallback in _CLASSICAL:
        facts = None if job.fallback == "none" else {"method": FALLBACK, "why": why, "learned": False}
        return replace(result, report=result.report.with_facts(fallback=facts))
    start = time.perf_counter()
    if progress:
        progress(f"fallback: {job.fallback}", 0, 1)
    assert ready is not None
    made = _upscaled(ready, job, why, int(str(result.report["reference"])), progress)
    return _recorded(made, result, job, why, time.perf_counter() - start)


def _upscaled(ready: CalibratedBurst, job: Job, why: str, index: int, progress: Progress | None) -> Result:
    """Upscale by a network what the frames show at their own size: a tripod burst merged; of a single frame its mosaic; demosaiced; or merged alone."""
    from burstsr.core.burst import Burst
    from burstsr.core.window import region_of_interest
    from burstsr.defects import repair_pixels
    from burstsr.pipeline import super_resolve
    from single.inference import upscale_frame, upscale_image

    upscaler = _make_upscaler(job.fallback, job.settings.scale)
    burst, flows, bad_pixels = ready.burst, ready.flows, ready.defects
    if why != _TRIPOD:
        bad_pixels = _bad_pixels(ready)
        burst, index, flows = Burst(burst.name, (burst.frames[index],)), 0, None
        if upscaler.kind == "bayer" or upscaler.noise_map:  # told the noise, it does better than a merge of one frame, which smooths
            frame, settings = repair_pixels(burst.frames[0], bad_pixels), ready.settings
            region = region_of_interest(settings.crop, settings.zoom, frame.info.shape)
            return upscale_frame(region.frame(frame) if region else frame, upscaler)
    small = super_resolve(burst, replace(ready.settings, scale=1.0, reference=index), progress=progress, flows=flows, bad_pixels=bad_pixels)
    if progress:
        progress(f"fallback: {job.fallback}", 0, 1)
    return upscale_image(small, upscaler)


@lru_cache(1)
def _make_upscaler(model: str, scale: float) -> Upscaler:
    from single.inference import Request, make_upscaler

    return make_upscaler(Request(model, scale))


def _bad_pixels(ready: CalibratedBurst) -> NDArray[np.int64]:
    """Return (n, 2) positions (y, x) to repair in the single usable frame: those of the profile, and those found in all frames of the burst."""
    import numpy as np

    from burstsr.defects import find_defects
    from burstsr.noise import estimate_noise

    if not ready.settings.defects.repair:
        return np.zeros((0, 2), np.int64)
    found = find_defects(ready.burst, estimate_noise(ready.burst)[0], ready.settings.defects)
    return found if ready.defects is None else np.unique(np.concatenate([found, ready.defects]), axis=0)


def _recorded(made: Result, merged: Result, job: Job, why: str, seconds: float) -> Result:
    """Return the upscaled image, with the report of the merge and of the fallback."""
    from burstsr.batch.single_provenance import describe, provenance_of

    model = _make_upscaler(job.fallback, job.settings.scale).model
    provenance = provenance_of(model, job.settings.scale, merged.provenance)
    noise: Any = merged.report["noise"]
    facts: dict[str, Any] = {
        "advice": "; ".join(text for text in (noise.get("noise_warning"), f"{why}: upscaled by {describe(model)}") if text),
        "fallback": {"method": job.fallback, "why": why, **model.to_dict()},
        "output_noise": None,
        "provenance": provenance.to_dict() if provenance else None,
        "seconds": {**merged.report["seconds"], "fallback": round(seconds, 3)},
    }
    made = replace(made, flows=merged.flows, robustness=merged.robustness)
    return replace(made, scale=job.settings.scale, report=merged.report.with_facts(**facts), provenance=provenance, noise_model=None, origin=merged.origin)
