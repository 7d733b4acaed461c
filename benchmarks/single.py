"""`burstsr benchmark single`: single-image models on Set5 and Set14, as papers measure them, on simulated raw frames, and as fallbacks of bursts.

High resolution is shrunk by antialiased bicubic and rounded to 8 bits; results are rounded to 8 bits, and compared on luma (BT.601) without a border of
`scale` pixels. Raw frames and bursts: `single_raw`, `single_fallbacks`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import single_fallbacks, single_raw
from benchmarks.single_models import Plan, Progress, Record, model_of
from burstsr.core.errors import InputFileError
from burstsr.io.images import read_image
from burstsr.quality import display
from single.classical import resize
from single.inference import Upscaler

Floats = NDArray[np.float32]
SETS = ("Set5", "Set14")
_TILE = 64


@dataclass
class Result:
    """What was measured: means over a set's images, raw frames, tiles; and what could not be, and why; bursts that get a fallback."""

    sets: list[Record]
    zoom: list[Record]
    tiles: list[Record]
    notes: list[str]
    fallbacks: list[Record] = field(default_factory=list)


def measure(plan: Plan, progress: Progress) -> Result:
    """All figures of the plan's sections. Models without weights are left out, and noted."""
    result = Result([], [], [], [])
    if "sets" in plan.sections:
        _measure_sets(plan, result, progress)
    if "raw" in plan.sections:
        progress("raw frames", 0, 1)
        result.zoom = single_raw.measure(plan, result.notes)
    if "fallback" in plan.sections:
        progress("fallbacks", 0, 1)
        result.fallbacks = single_fallbacks.measure(plan, result.notes)
    return result


def _measure_sets(plan: Plan, result: Result, progress: Progress) -> None:
    scales = (4,) if plan.quick else tuple(plan.scales)
    jobs = [(name, scale) for scale in scales for name in plan.models]
    for done, (name, scale) in enumerate(jobs):
        progress(f"{name} x{scale}", done, len(jobs))
        made = model_of(name, scale, plan, result.notes)
        if made:
            result.sets += [_on_set(plan.data / "testsets" / chosen, chosen, made, scale) for chosen in SETS[: 1 if plan.quick else 2]]
            if scale == 4 and made.run is not None:
                result.tiles.append(_tiled(plan, name, made))


def _on_set(folder: Path, chosen: str, model: Upscaler, scale: int) -> Record:
    """Means over the images of a folder: PSNR and SSIM on luma, gradients over the truth's; CPU seconds per output megapixel over all."""
    paths = sorted(folder.glob("*.*"))
    if not paths:
        raise InputFileError(f"{folder}: no pictures there")
    found: list[tuple[float, float, float]] = []
    seconds = pixels = 0.0
    for path in paths:
        truth = read_image(path).rgb
        truth = truth[: truth.shape[0] // scale * scale, : truth.shape[1] // scale * scale]
        small = _in_8_bits(resize(truth, 1 / scale))
        if not found:
            model.image(small)  # the first run prepares more than it computes
        start = time.process_time()
        made = model.image(small)
        seconds += time.process_time() - start
        pixels += made.shape[0] * made.shape[1] / 1e6
        bright, true = (display.cropped(display.luma(p), scale) for p in (_in_8_bits(made), truth))
        found.append((display.psnr(bright, true), display.ssim(bright, true), gradient(bright) / gradient(true)))
    psnr, ssim, sharpness = np.mean(found, axis=0)
    record = {"set": chosen, "scale": scale, "model": model.model.name, "gan": model.model.gan, "psnr_y": float(psnr), "ssim_y": float(ssim)}
    return {**record, "gradient": float(sharpness), "seconds_per_mp": seconds / pixels}


def gradient(plane: NDArray[np.floating]) -> float:
    """Mean length of the step from a pixel to its neighbours below and beside it: what sharpness looks like in numbers."""
    below, beside = np.diff(plane, axis=0)[:, :-1], np.diff(plane, axis=1)[:-1]
    return float(np.hypot(below, beside).mean())


def _in_8_bits(image: Floats) -> Floats:
    return np.asarray(np.rint(np.clip(image, 0, 1) * np.float32(255)) / np.float32(255), np.float32)


def _tiled(plan: Plan, name: str, model: Upscaler) -> Record:
    """Largest difference, of 1, between one piece and small tiles: in 32 bits, where it is that of the tiles alone, and in the precision that is used."""
    from single.inference.runner import Runner
    from single.loading import find, load

    small = _in_8_bits(resize(read_image(sorted((plan.data / "testsets" / "Set5").glob("*.*"))[0]).rgb, 0.25))
    if model.noise_map:
        small = np.dstack((small, np.zeros(small.shape[:2], np.float32)))
    planes = display.luma(small).astype(np.float32)[None] if model.kind == "y" else np.ascontiguousarray(small.transpose(2, 0, 1))
    found: list[float] = []
    for bf16 in (False, None):
        pair = [np.clip(Runner(load(find(name, 4.0)), plan.device, tile, bf16)(planes), 0, 1) for tile in (4096, _TILE)]
        found.append(float(np.abs(pair[0] - pair[1]).max()))
    return {"model": model.model.name, "tile": _TILE, "difference": found[0], "difference_as_run": found[1]}
