"""`burstsr benchmark single`: single-image models on Set5 and Set14, as papers measure them, and the raw-to-RGB model on simulated raw frames.

High resolution is shrunk by antialiased bicubic and rounded to 8 bits; results are rounded to 8 bits, and compared on luma (BT.601) without a border of
`scale` pixels. Raw frames are photographs that training never saw, through `burstsr.simulate`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.errors import BurstsrError, InputFileError
from burstsr.io.dng import write_cfa_dng
from burstsr.io.images import read_image
from burstsr.quality import display
from burstsr.quality.baseline import developed
from burstsr.quality.image_error import psnr_srgb
from burstsr.simulate import SimulateSettings, simulate_burst
from single.classical import resize
from single.inference import Request, Upscaler, make_upscaler, upscale_frame

Floats = NDArray[np.float32]
Record = dict[str, Any]
Progress = Callable[[str, int, int], None]
MODELS = ("bicubic", "lanczos", "srcnn", "srresnet", "srmd", "srmd-noise", "srgan", "esrgan", "realesrgan")
HELD_BACK = ("mate_Dune", "plasma_ColorfulCups")  # photographs that training leaves out
SETS = ("Set5", "Set14")
_ZOOM_CROP, _ZOOM_BORDER = 1024, 32  # pixels of the truth
_TILE = 64


@dataclass(frozen=True)
class Plan:
    """data: folder with testsets and photos. models: names or files. scales, isos: of the sets, and of the raw frames. quick: Set5 at x4 alone, ISO 100.

    back_projection: of all networks; "": their own defaults.
    """

    data: Path
    models: Sequence[str] = MODELS
    scales: Sequence[int] = (2, 3, 4)
    isos: Sequence[float] = (100.0, 800.0, 3200.0)
    quick: bool = False
    device: str = "auto"
    back_projection: str = ""


@dataclass
class Result:
    """What was measured: means over a set's images, raw frames, tiles; and what could not be, and why."""

    sets: list[Record]
    zoom: list[Record]
    tiles: list[Record]
    notes: list[str]


def measure(plan: Plan, progress: Progress) -> Result:
    """All figures. Models without weights are left out, and noted."""
    result = Result([], [], [], [])
    scales = (4,) if plan.quick else tuple(plan.scales)
    jobs = [(name, scale) for scale in scales for name in plan.models]
    for done, (name, scale) in enumerate(jobs):
        progress(f"{name} x{scale}", done, len(jobs) + 2)
        made = _model(name, scale, plan, result.notes)
        if made:
            result.sets += [_on_set(plan.data / "testsets" / chosen, chosen, made, scale) for chosen in SETS[: 1 if plan.quick else 2]]
            if scale == 4 and made.run is not None:
                result.tiles.append(_tiled(plan, name, made))
    progress("raw frames", len(jobs), len(jobs) + 2)
    result.zoom = _zoom(plan, result.notes)
    return result


def _model(name: str, scale: int, plan: Plan, notes: list[str]) -> Upscaler | None:
    """None for a model that is not there, or not made for that scale."""
    try:
        made = make_upscaler(Request(name, float(scale), device=plan.device, back_projection=plan.back_projection))
    except BurstsrError as error:
        if str(error) not in notes:
            notes.append(str(error))
        return None
    return made if made.native == scale else None


def _on_set(folder: Path, chosen: str, model: Upscaler, scale: int) -> Record:
    """Means over the images of a folder: PSNR and SSIM on luma, gradients over the truth's; seconds per output megapixel over all."""
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
        start = time.perf_counter()
        made = model.image(small)
        seconds += time.perf_counter() - start
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


def _zoom(plan: Plan, notes: list[str]) -> list[Record]:
    """The raw-to-RGB model at every scale that it has, our demosaicing with Lanczos, and DHT with bicubic, on simulated raw frames: PSNR in dB, of sRGB."""
    models = {scale: model for scale in (1, 2, 4) if (model := _model("zoom", scale, plan, notes))}
    found = []
    for scale in (2,) if plan.quick or not models else tuple(models):
        for iso in plan.isos[: 1 if plan.quick else None]:
            for name in HELD_BACK:
                settings = SimulateSettings(frames=1, scale=float(scale), iso=iso)
                simulated = simulate_burst(_photograph(plan.data, name), settings, np.random.default_rng(1), name)
                frame, colour = simulated.burst.frames[0], simulated.burst.info.colour
                lanczos = make_upscaler(Request("lanczos", float(scale)))
                images = {"DHT + bicubic": _dht_bicubic(frame, scale), "burstsr + Lanczos": upscale_frame(frame, lanczos).image}
                if scale in models:
                    images["zoom"] = upscale_frame(frame, models[scale]).image
                figures = {title: psnr_srgb(image, simulated.truth, colour, _ZOOM_BORDER) for title, image in images.items()}
                found.append({"picture": name, "scale": scale, "iso": iso, "psnr_srgb": figures})
    return found


def _photograph(data: Path, name: str) -> Floats:
    """A piece from the middle of a photograph."""
    rgb = read_image(data / "photos" / f"{name}.jpg").rgb
    top, left = ((n - _ZOOM_CROP) // 2 for n in rgb.shape[:2])
    return np.ascontiguousarray(rgb[max(top, 0) :, max(left, 0) :][:_ZOOM_CROP, :_ZOOM_CROP])


def _dht_bicubic(frame: Frame, scale: int) -> Floats:
    """LibRaw's DHT, white-balanced, upscaled by bicubic on a curve; linear camera RGB."""
    neutral = np.asarray(frame.info.colour.as_shot_neutral)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.dng"
        write_cfa_dng(path, frame)
        curved = developed(path, neutral) ** np.float32(1 / 2.2)
    large = np.maximum(resize(curved, float(scale)), 0) ** np.float32(2.2)
    return np.asarray(large * (neutral / neutral.min()), np.float32)
