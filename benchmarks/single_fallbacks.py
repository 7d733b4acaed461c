"""Section "fallback" of `burstsr benchmark single`: bursts that have no more resolution than one frame, by every `process --fallback`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.single_models import HELD_BACK, Plan, Record, photograph
from burstsr.batch import fallback
from burstsr.batch.job import Job
from burstsr.core.errors import BurstsrError
from burstsr.core.result import Result
from burstsr.pipeline import super_resolve
from burstsr.profiles.apply import CalibratedBurst
from burstsr.quality.image_error import psnr_srgb
from burstsr.settings import Settings
from burstsr.simulate import SimulatedBurst, SimulateSettings, simulate_burst
from single.inference import Request, make_upscaler, upscale_frame

KINDS = {"one frame": 1, "tripod": 6}  # title: frames
LANCZOS = "Lanczos"  # one frame, demosaiced: what the fallbacks must beat
ISOS = (100.0, 800.0)
SCALE = 2.0  # the default of `process`
_CROP, _BORDER = 320, 32  # pixels of the truth


def measure(plan: Plan, notes: list[str]) -> list[Record]:
    """Return PSNR in dB, of sRGB, of one frame upscaled by Lanczos and of every fallback, of both kinds of bursts."""
    names = [name for name in fallback.FALLBACKS if name != "none" and _is_there(name, notes)]
    found = []
    for kind, frames in KINDS.items():
        for iso in ISOS[: 1 if plan.quick else None]:
            for picture in HELD_BACK[: 1 if plan.quick else None]:
                settings = SimulateSettings(frames=frames, scale=SCALE, iso=iso, motion="tripod")
                shot = simulate_burst(photograph(plan.data, picture, _CROP), settings, np.random.default_rng(1), picture)
                found.append({"kind": kind, "iso": iso, "picture": picture, "psnr_srgb": _figures(shot, names)})
    return found


def _is_there(name: str, notes: list[str]) -> bool:
    try:
        fallback.check(name, SCALE)
    except BurstsrError as error:
        if str(error) not in notes:
            notes.append(str(error))
        return False
    return True


def _figures(shot: SimulatedBurst, names: list[str]) -> dict[str, float]:
    settings = Settings(scale=SCALE)
    merged = super_resolve(shot.burst, settings)
    images: dict[str, Result] = {LANCZOS: upscale_frame(shot.burst.frames[0], make_upscaler(Request("lanczos", SCALE)))}
    for name in names:
        job = Job(shot.burst.name, (), Path(), (), settings, (), fallback=name)
        ready = CalibratedBurst(shot.burst, settings, None, None, {})
        images[name] = fallback.applied(merged, job, fallback.reason(merged, SCALE), ready, None)
    return {name: psnr_srgb(made.image, shot.truth, shot.burst.info.colour, _BORDER) for name, made in images.items()}
