"""Section "raw" of `burstsr benchmark single`: one simulated raw frame of a photograph that training never saw, by every way to upscale it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.single_models import HELD_BACK, Floats, Plan, Record, model_of, photograph
from burstsr.core.burst import Frame
from burstsr.io.dng import write_cfa_dng
from burstsr.quality.baseline import developed
from burstsr.quality.image_error import psnr_srgb
from burstsr.simulate import SimulateSettings, simulate_burst
from single.classical import resize
from single.inference import Request, Upscaler, make_upscaler, upscale_frame

CLASSICAL = {"DHT + bicubic": ("DHT", "bicubic"), "AHD + Lanczos": ("AHD", "lanczos")}  # LibRaw's demosaicing, and interpolation
OURS = "burstsr + Lanczos"  # our demosaicing
NETWORKS = {"srresnet": "burstsr + srresnet", "srmd": "burstsr + srmd", "srmd-noise": "burstsr + srmd-noise", "zoom": "zoom"}
_CROP, _BORDER = 640, 32  # pixels of the truth


def measure(plan: Plan, notes: list[str]) -> list[Record]:
    """Return PSNR in dB, of sRGB, by title, for every scale that the raw-to-RGB model has, ISO and photograph."""
    found = []
    for scale in (2,) if plan.quick else (1, 2, 4):
        networks = {title: made for name, title in NETWORKS.items() if (made := model_of(name, scale, plan, notes))}
        for iso in plan.isos[: 1 if plan.quick else None]:
            for name in HELD_BACK:
                found.append({"picture": name, "scale": scale, "iso": iso, "psnr_srgb": _figures(plan, name, scale, iso, networks)})
    return found


def _figures(plan: Plan, name: str, scale: int, iso: float, networks: dict[str, Upscaler]) -> dict[str, float]:
    settings = SimulateSettings(frames=1, scale=float(scale), iso=iso)
    simulated = simulate_burst(photograph(plan.data, name, _CROP), settings, np.random.default_rng(1), name)
    frame, colour = simulated.burst.frames[0], simulated.burst.info.colour
    images = {title: _classical(frame, scale, *how) for title, how in CLASSICAL.items()}
    images[OURS] = upscale_frame(frame, make_upscaler(Request("lanczos", float(scale)))).image
    images |= {title: upscale_frame(frame, made).image for title, made in networks.items()}
    return {title: psnr_srgb(image, simulated.truth, colour, _BORDER) for title, image in images.items()}


def _classical(frame: Frame, scale: int, demosaicing: str, method: str) -> Floats:
    """LibRaw's demosaicing, white-balanced, upscaled on a curve; linear camera RGB."""
    neutral = np.asarray(frame.info.colour.as_shot_neutral)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dng"
        write_cfa_dng(path, frame)
        curved = developed(path, neutral, demosaicing) ** np.float32(1 / 2.2)
    large = np.maximum(resize(curved, float(scale), method), 0) ** np.float32(2.2)
    return np.asarray(large * (neutral / neutral.min()), np.float32)
