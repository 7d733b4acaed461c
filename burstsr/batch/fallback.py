"""`process --fallback`: what enlarges a burst whose frames give no resolution, because one is usable, or because all saw the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from burstsr.core.errors import BurstError

if TYPE_CHECKING:
    from burstsr.batch.job import Job
    from burstsr.core.burst import Burst, Frame, Result
    from single.inference import Upscaler

FALLBACK = "lanczos"  # nothing invented
FALLBACKS = ("none", "lanczos", "srcnn", "srgan", "esrgan", "zoom")
_LEARNED = FALLBACKS[2:]
_LEAST_TRUST = 0.05  # mean, of a frame that counts as usable
_ONE, _ONE_USABLE, _TRIPOD = "one frame", "one usable frame", "no sub-pixel phase"
Progress = Callable[[str, int, int], None]


def check(fallback: str, scale: float) -> None:
    """Raise SettingsError where the network's weights, or torch, are missing."""
    if fallback in _LEARNED:
        from single.inference import Request
        from single.inference import check as check_request

        check_request(Request(fallback, scale))


def reason(result: Result, scale: float) -> str:
    """Why a merged picture holds no more resolution than one frame; '' if it does, or if nothing was to be gained."""
    report: Mapping[str, Any] = result.report
    if scale == 1:
        return ""
    if len(report["frames"]) == 1:
        return _ONE
    if sum(frame["reference"] or frame["robustness"] >= _LEAST_TRUST for frame in report["frames"]) == 1:
        return _ONE_USABLE
    return _TRIPOD if report["subpixel_phases"] == 1 else ""


def applied(result: Result, job: Job, why: str, progress: Progress | None) -> Result:
    """The picture that the job's fallback makes; `picture` itself, with the report saying so, where that is lanczos, or none on a tripod.

    Raises BurstError for none where there is one usable frame.
    """
    if job.fallback == "none" and why != _TRIPOD:
        raise BurstError(f"{job.name}: {why}, and --fallback none: nothing to merge")
    if job.fallback not in _LEARNED:
        said = None if job.fallback == "none" else {"method": "lanczos", "why": why, "learned": False}
        return replace(result, report={**result.report, "fallback": said})
    start = time.perf_counter()
    if progress:
        progress(f"fallback: {job.fallback}", 0, 1)
    made = _upscaled(job, why, int(str(result.report["reference"])), progress)
    return _recorded(made, result, job, why, time.perf_counter() - start)


def _upscaled(job: Job, why: str, index: int, progress: Progress | None) -> Result:
    """Learned enlargement of what the frames show at their own size: of a tripod's, merged; of one frame, demosaiced, or straight from its mosaic."""
    from burstsr.core.burst import Burst
    from burstsr.io.discover import read_burst
    from burstsr.pipeline import super_resolve
    from single.inference import upscale_frame, upscale_image

    enlarger = _enlarger(job.fallback, job.settings.scale)
    burst = read_burst(job.paths)
    if why != _TRIPOD:
        burst, index = Burst(burst.name, (burst.frames[index],)), 0
        if enlarger.kind == "bayer":
            return upscale_frame(_repaired(burst, job), enlarger)
    small = super_resolve(burst, replace(job.settings, scale=1.0, reference=index), progress)
    if progress:
        progress(f"fallback: {job.fallback}", 0, 1)
    return upscale_image(small, enlarger)


@lru_cache(1)
def _enlarger(model: str, scale: float) -> Upscaler:
    from single.inference import Request, enlarger

    return enlarger(Request(model, scale))


def _repaired(burst: Burst, job: Job) -> Frame:
    from burstsr.defects import find_defects, repair_pixels
    from burstsr.noise import estimate_noise

    return repair_pixels(burst.frames[0], find_defects(burst, estimate_noise(burst)[0], job.settings.defects))


def _recorded(made: Result, merged: Result, job: Job, why: str, seconds: float) -> Result:
    """What was made, with the report of the merge and what the fallback did."""
    from burstsr.batch.single_provenance import describe, provenance_of

    model = _enlarger(job.fallback, job.settings.scale).model
    provenance = provenance_of(model, job.settings.scale, merged.provenance)
    noise: Any = merged.report["noise"]
    report: dict[str, Any] = {
        **merged.report,
        "advice": "; ".join(said for said in (noise.get("noise_warning"), f"{why}: enlarged by {describe(model)}") if said),
        "fallback": {"method": job.fallback, "why": why, **model.to_dict()},
        "output_noise": None,
        "provenance": provenance.to_dict() if provenance else None,
        "seconds": {**dict(merged.report["seconds"]), "fallback": round(seconds, 3)},  # type: ignore[call-overload]
    }
    return replace(made, scale=job.settings.scale, report=report, provenance=provenance, noise=None)
