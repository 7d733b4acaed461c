"""Section `bracket` of the quality benchmark: five exposures of a scene with highlights against five equal ones, and against the classical way.

Highlights of sRGB images are lifted to 16 times saturation. Ideal: five equal frames of a sensor that neither clips nor has noise, which shows what resolution
alone bounds. Classical: every frame demosaiced, aligned with the pipeline's flow, merged with hat weights
(Debevec & Malik 1997, eq. 4 and 6, with the known linear response), Lanczos upscaling.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shots import settings_of
from burstsr import super_resolve
from burstsr.core.burst import Burst
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.srgb import camera_to_srgb, display_values
from burstsr.demosaic import demosaic
from burstsr.io.images import read_image
from burstsr.quality.display import psnr
from burstsr.simulate import SimulatedBurst, SimulateSettings, simulate_burst
from burstsr.simulate.scene import camera_colour, unprocess

Floats = NDArray[np.float32]
EVS = (0.0, -4.0, -2.0, 2.0, 4.0)
ISOS = (100.0, 1600.0)
TOP = 16.0  # saturation of the brightest highlights
ROWS = ("classical", "uniform fast", "uniform best", "bracket fast", "bracket best", "ideal fast", "ideal best")
_FROM = 0.3  # level, relative to the brightest, from which highlights are lifted
_MU = 5000.0
_BORDER = 40  # output pixels
_RIM_PX = 8
_SIDE = 512  # of the image's centre
_LEAST_WEIGHT = 1e-3
_SENSOR = SimulateSettings()
_IDEAL_SENSOR = SimulateSettings(noise=Noise(np.full(3, 1e-8), np.full(3, 1e-9)), bits=16)  # noise: about that of quantisation
_IDEAL_ISO = 100.0  # whose noise relative to the scene the ideal frames are said to have: without, all that is not noise would count as motion


@dataclass(frozen=True)
class Case:
    """A scene to photograph. seed: of motion and noise."""

    image: Path
    iso: float
    seed: int = 0


def lifted(srgb: Floats, top: float = TOP) -> Floats:
    """Return linear camera RGB of an sRGB image with its highlights lifted smoothly to `top` times saturation."""
    colour = camera_colour()
    linear = unprocess(srgb, colour)
    level = (linear / colour.as_shot_neutral).max(axis=-1)
    t = np.clip((level / max(float(np.quantile(level, 0.999)), 1e-6) - _FROM) / (1 - _FROM), 0, 1)
    return np.asarray(linear * (top ** (t * t * (3 - 2 * t)))[..., None], np.float32)


def measure(case: Case) -> list[dict[str, Any]]:
    """Return one record per row of a case."""
    srgb = read_image(case.image).rgb
    top, left = ((n - min(n, _SIDE)) // 2 for n in srgb.shape[:2])
    scene = lifted(srgb[top : top + _SIDE, left : left + _SIDE])
    bracket, uniform = (_simulated(scene, case, evs) for evs in (EVS, (0.0,) * len(EVS)))
    fast = super_resolve(bracket.burst, settings_of(2.0))
    flows = [flow for flow in fast.flows if flow is not None]
    images = {
        "classical": classical(bracket.burst, flows),
        "uniform fast": super_resolve(uniform.burst, settings_of(2.0)).image,
        "uniform best": super_resolve(uniform.burst, settings_of(2.0, "best")).image,
        "bracket fast": fast.image,
        "bracket best": super_resolve(bracket.burst, settings_of(2.0, "best")).image,
        **{f"ideal {mode}": ideal(scene, case, mode) for mode in ("fast", "best")},
    }
    return [{"picture": case.image.stem, "iso": case.iso, "row": row, **figures(image, bracket)} for row, image in images.items()]


def ideal(scene: Floats, case: Case, mode: Literal["fast", "best"]) -> Floats:
    """Return the result of as many equal frames without noise that clip nothing, with the motion of the bracket."""
    made = _simulated(scene / TOP, case, (0.0,) * len(EVS), _IDEAL_SENSOR)
    usual = Noise.of_iso(_IDEAL_ISO)
    noise = Noise(usual.alpha / TOP, usual.beta / TOP**2)
    burst = Burst(made.burst.name, tuple(frame.with_info(replace(frame.info, noise=noise)) for frame in made.burst))
    return np.asarray(super_resolve(burst, settings_of(2.0, mode)).image * np.float32(TOP), np.float32)


def _simulated(scene: Floats, case: Case, evs: Sequence[float], sensor: SimulateSettings = _SENSOR) -> SimulatedBurst:
    settings = replace(sensor, frames=len(evs), iso=case.iso, exposures_ev=tuple(evs), linear=True)
    return simulate_burst(scene, settings, np.random.default_rng([case.seed, zlib.crc32(case.image.stem.encode())]), case.image.stem)


def classical(burst: Burst, flows: Sequence[Flow]) -> Floats:
    """Return the classical merge of a bracket whose first frame is the reference, upscaled by two; exposures from EXIF."""
    first, shortest = burst.frames[0].info.exposure_s, min(frame.info.exposure_s for frame in burst)
    total = weights = np.zeros(1, np.float32)
    for frame, flow in zip(burst, flows, strict=True):
        image = demosaic(frame)
        y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
        shift = flow.at(y, x)
        at = (x + shift[..., 1]).astype(np.float32), (y + shift[..., 0]).astype(np.float32)
        moved = np.clip(cv2.remap(image, *at, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE), 0, 1)
        weight = np.minimum(moved, 1 - moved) * 2
        weight = np.maximum(weight, np.float32(_LEAST_WEIGHT if frame.info.exposure_s == shortest else _LEAST_WEIGHT * 1e-3))
        total, weights = total + weight * moved * np.float32(first / frame.info.exposure_s), weights + weight
    return np.asarray(np.maximum(cv2.resize(total / weights, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4), 0), np.float32)


def figures(image: Floats, made: SimulatedBurst) -> dict[str, float]:
    """Return figures of an image in frame 0's units and geometry.

    psnr_mu: of mu-law values (mu = 5000) over the truth's 99.9 percentile, dB. psnr_shadows: sRGB after +4 EV, in the darkest quarter, dB. rim: chroma error
    within 8 px of the borders where an exposure clips, over that elsewhere; 1 without such borders.
    """
    inner = slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER)
    shown, truth, colour = image[inner], made.truth[inner], made.burst.info.colour
    peak = float(np.quantile(truth, 0.999))
    curved = [np.log1p(_MU * np.clip(v / peak, 0, 1)) / np.log1p(_MU) for v in (shown, truth)]
    grey = truth.mean(axis=-1)
    dark = grey <= np.quantile(grey, 0.25)
    gain = (16 / colour.as_shot_neutral).astype(np.float32)
    lit = [display_values(np.asarray(np.minimum(v * gain, 1) @ camera_to_srgb(colour).T, np.float32)) for v in (shown, truth)]
    error, near = _chroma_error(shown, truth, colour.as_shot_neutral), _near_borders(truth)
    return {
        "psnr_mu": psnr(*curved),
        "psnr_shadows": psnr(lit[0][dark], lit[1][dark]),
        "rim": float(error[near].mean() / max(float(error[~near].mean()), 1e-9)) if near.any() and not near.all() else 1.0,
    }


def _chroma_error(image: Floats, truth: Floats, neutral: NDArray[np.float64]) -> NDArray[np.floating]:
    """Return the error of log colour ratios per pixel."""
    a, b = (np.log(np.maximum(v / neutral, 1e-2)) for v in (image, truth))
    return np.asarray(np.abs((a - b)[..., (0, 2)] - (a - b)[..., 1:2]).sum(axis=-1))


def _near_borders(truth: Floats) -> NDArray[np.bool_]:
    kernel = np.ones((2 * _RIM_PX + 1,) * 2, np.uint8)
    near = np.zeros(truth.shape[:2], bool)
    for ev in EVS:
        clipped = (truth.max(axis=-1) >= 2.0**-ev).astype(np.uint8)
        near |= (cv2.dilate(clipped, kernel) > 0) & (cv2.erode(clipped, kernel) == 0)
    return near


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the means per ISO and row as a Markdown table."""
    lines = ["| ISO | row | mu-law PSNR (dB) | shadows +4 EV (dB) | rim | rim / ideal |", "|---|---|---|---|---|---|"]
    for iso in sorted({r["iso"] for r in records}):
        means = {row: [_mean(records, iso, row, name) for name in ("psnr_mu", "psnr_shadows", "rim")] for row in ROWS}
        for row, (mu, dark, rim) in means.items():
            bound = means["ideal best" if row.endswith("best") else "ideal fast"][2]
            lines.append(f"| {iso:g} | {row} | {mu:.2f} | {dark:.2f} | {rim:.2f} | {rim / bound:.2f} |")
    return "\n".join(lines) + "\n"


def _mean(records: Sequence[dict[str, Any]], iso: float, row: str, name: str) -> float:
    return float(np.mean([r[name] for r in records if r["iso"] == iso and r["row"] == row]))
