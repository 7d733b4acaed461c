"""Section `mosaic` of the quality benchmark: monochrome, X-Trans and quad Bayer sensors, each against its best single frame; mono against Bayer's green.

Single frames: monochrome bicubic; X-Trans LibRaw's own demosaicing and Lanczos; quad Bayer and Bayer: Menon 2007 and bicubic, quad Bayer interpolated to a
Bayer mosaic first. Thirteen hand-held frames, x2, the same motion for all; the lens does not blur.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import border_of
from benchmarks.rows import menon_frame
from benchmarks.shots import Mode, Shot, settings_of
from burstsr import super_resolve
from burstsr.core.burst import Frame
from burstsr.core.cfa import GREEN
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import samples
from burstsr.core.srgb import encode_srgb
from burstsr.io.dng import write_cfa_dng
from burstsr.io.images import read_image
from burstsr.quality.baseline import single_frame
from burstsr.quality.display import psnr
from burstsr.quality.image_error import display_srgb
from burstsr.simulate import SimulateSettings, simulate_burst

Floats = NDArray[np.float32]
ISO, FRAMES, SCALE = 400.0, 13, 2.0
SENSORS = ("RGGB", "mono", "X-Trans", "quad RGGB")
MODES: tuple[Mode, ...] = ("fast", "best")
ROWS = ("single", *MODES)
_LEAST_SIDE = 516  # of what LibRaw demosaics of X-Trans, a multiple of its period
_LEAST = {"mono": (2.0, None), "X-Trans": (2.5, 4.5), "quad RGGB": (2.5, 4.5)}  # dB of fast and of best over the single frame that are asked for
_LEAST_OVER_GREEN = 1.0  # the same of mono best over the green channel of Bayer best


@dataclass(frozen=True)
class Case:
    """A scene photographed by all sensors. seed: of motion and noise."""

    image: Path
    iso: float = ISO
    seed: int = 0


def measure(case: Case) -> list[dict[str, Any]]:
    """Return one record per sensor and row of a case."""
    image = read_image(case.image).rgb
    records = []
    for sensor in SENSORS:
        shot = _shot(image, case, sensor)
        for mode in (None, *MODES):
            begin = time.process_time()
            shown = single(shot) if mode is None else super_resolve(shot.burst, settings_of(SCALE, mode)).image
            seconds = time.process_time() - begin
            records.append(
                {"picture": case.image.stem, "iso": case.iso, "sensor": sensor, "row": mode or "single", **figures(shown, shot), "cpu_seconds": seconds}
            )
    return records


def _shot(image: NDArray[Any], case: Case, sensor: str) -> Shot:
    settings = SimulateSettings(frames=FRAMES, scale=SCALE, iso=case.iso, cfa=sensor, blur_sigma_px=0.0)
    made = simulate_burst(image, settings, np.random.default_rng([case.seed, zlib.crc32(case.image.stem.encode())]), case.image.stem)
    return Shot(made, (), 0.0, ())


def single(shot: Shot) -> Floats:
    """Return what the best single frame of the sensor gives, at the result's scale."""
    frame = shot.burst.frames[0]
    if frame.info.cfa.is_mono:
        grey = samples(frame.mosaic, frame.info.levels)
        return np.asarray(cv2.resize(grey, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC), np.float32)[..., None]
    return by_libraw(frame, shot.made.settings.bits) if frame.info.cfa.name == "X-Trans" else menon_frame(as_bayer(frame), SCALE)


def by_libraw(frame: Frame, bits: int) -> Floats:
    """Return LibRaw's demosaicing of an X-Trans frame, upscaled by Lanczos. LibRaw refuses small ones: the last period is repeated below and at the right."""
    shape = frame.info.shape
    period = frame.info.cfa.period
    y, x = (np.arange(max(n, _LEAST_SIDE)) for n in shape)
    y, x = (np.where(i < n, i, n - p + (i - n) % p) for i, n, p in zip((y, x), shape, period, strict=True))
    larger = Frame(replace(frame.info, shape=(len(y), len(x)), crop=None), np.ascontiguousarray(frame.mosaic[np.ix_(y, x)]))
    with tempfile.TemporaryDirectory(prefix="burstsr-benchmark-") as folder:
        path = Path(folder) / "frame.dng"
        write_cfa_dng(path, larger, bits=bits)
        image = single_frame(path, frame.info.colour.as_shot_neutral, SCALE)
    return image[: round(shape[0] * SCALE), : round(shape[1] * SCALE)]


def figures(image: Floats, shot: Shot) -> dict[str, float]:
    """Return the PSNR (dB) of displayed values, and of displayed and linear green, which of a monochrome sensor is its only channel."""
    border, truth = border_of(shot), shot.made.truth
    inner = slice(border, -border), slice(border, -border)
    plane = 0 if truth.shape[2] == 1 else GREEN
    green = [np.asarray(np.clip(v[inner][..., plane], 0, 1), np.float32) for v in (image, truth)]
    curved = [encode_srgb(v) for v in green]
    found = {"psnr_green": psnr(*curved), "psnr_green_linear": psnr(*green)}
    shown = curved if truth.shape[2] == 1 else [display_srgb(v, shot.colour)[inner] for v in (image, truth)]
    return {"psnr": psnr(*shown), **found}


def table(records: Sequence[dict[str, Any]]) -> str:
    """Return the means per sensor as a Markdown table, with the least of all pictures in brackets and what is asked for."""
    lines = ["| sensor | one frame (dB) | fast over it | best over it | asked for | CPU fast, best (s) |", "|---|---|---|---|---|---|"]
    for sensor in SENSORS:
        of = {row: [r for r in records if r["sensor"] == sensor and r["row"] == row] for row in ROWS}
        gains = {row: np.array([r["psnr"] - s["psnr"] for r, s in zip(of[row], of["single"], strict=True)]) for row in ROWS[1:]}
        asked = " / ".join("" if v is None else f"+{v:g}" for v in _LEAST.get(sensor, (None, None)))
        cost = ", ".join(f"{np.mean([r['cpu_seconds'] for r in of[row]]):.1f}" for row in ROWS[1:])
        shown = " | ".join(f"{g.mean():+.2f} ({g.min():+.2f})" for g in gains.values())
        lines.append(f"| {sensor} | {np.mean([r['psnr'] for r in of['single']]):.2f} | {shown} | {asked} | {cost} |")
    lines += ["", "| monochrome over Bayer's green | fast | best | asked for |", "|---|---|---|---|"]
    for name, key in (("sRGB values", "psnr_green"), ("linear values", "psnr_green_linear")):
        ours, theirs = ({row: [r[key] for r in records if r["sensor"] == s and r["row"] == row] for row in ROWS[1:]} for s in ("mono", "RGGB"))
        over = {row: np.subtract(ours[row], theirs[row]) for row in ROWS[1:]}
        lines.append(f"| {name} | " + " | ".join(f"{g.mean():+.2f} ({g.min():+.2f})" for g in over.values()) + f" | best +{_LEAST_OVER_GREEN:g} |")
    return "\n".join(lines) + "\n\nMean over the pictures, the least of them in brackets; CPU seconds of the whole pipeline, on all cores together.\n"
