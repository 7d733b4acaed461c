"""Steps and flat areas as test charts: overshoot, undershoot and rise across slanted edges, and noise on flat patches, in both modes.

    python -m benchmarks.edge [--iso 100,1600] [--seeds 4] [--blur SIGMA] [--json]

Every chart is photographed as 13 hand-held frames and upscaled by 2. Means along the edge and over seeds, each with the edge shifted by a fraction of
a pixel, give its profile: the mean over phases for a slanted edge, the worst phase for a horizontal one, which crosses all pixels of a row alike. The profile
of the truth, with pixels that average the edge over their area, is given for comparison. Each chart is surrounded by texture for alignment, as in photographs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.edge_profile import BIN, PLATEAU, Line, profile, shapes
from benchmarks.shots import Mode, settings_of
from benchmarks.table import cell, markdown
from burstsr import super_resolve
from burstsr.core.burst import Colour
from burstsr.quality.image_error import display_srgb
from burstsr.simulate import SimulatedBurst, SimulateSettings, simulate_burst
from burstsr.simulate.scene import camera_colour

Floats = NDArray[np.float32]
ANGLES = (5.0, 35.0, 90.0)
EDGES = {"grey": ((0.1, 0.1, 0.1), (0.6, 0.6, 0.6)), "red, blue": ((0.6, 0.1, 0.1), (0.1, 0.1, 0.6))}  # both sides: linear RGB, white-balanced
LEVELS = (0.02, 0.1, 0.5)  # flat patches: the same, grey
SIZE = 352  # truth pixels along a chart
_TEXTURE = 64  # truth pixels of texture along the chart's sides
_CLEAR = 24  # truth pixels from the texture that are not measured
_SQUARE = 8  # truth pixels along a square of the texture
_FINE = 8  # parts along a truth pixel's side, over which the edge is averaged
_FRAMES, _SCALE = 13, 2.0
MODES: tuple[Mode, ...] = get_args(Mode)

Record = dict[str, Any]
Sides = tuple[Sequence[float], Sequence[float]]


def edge_line(angle_deg: float, offset: float = 0.0) -> Line:
    """Return the chart's edge: through its centre, shifted by `offset` truth pixels, as long as the flat area permits."""
    middle = (SIZE - 1) / 2 + offset
    clear = SIZE / 2 - _TEXTURE - _CLEAR
    turn = np.deg2rad(angle_deg)
    return Line((middle, middle), angle_deg, (clear - PLATEAU[1] * min(np.sin(turn), np.cos(turn))) / max(np.sin(turn), np.cos(turn)))


def edge_chart(line: Line, sides: Sides, neutral: NDArray[np.float64]) -> Floats:
    """Return (SIZE, SIZE, 3) linear camera RGB: a step between the colours of `sides`, every pixel averaged over its area."""
    fine = (np.arange(SIZE * _FINE) + 0.5) / _FINE - 0.5
    beyond = line.across(fine[:, None], fine[None, :]) > 0
    share = beyond.reshape(SIZE, _FINE, SIZE, _FINE).mean((1, 3))[..., None]
    return _in_texture((1 - share) * np.array(sides[0]) + share * np.array(sides[1]), neutral)


def patch_chart(neutral: NDArray[np.float64]) -> tuple[Floats, dict[float, tuple[slice, slice]]]:
    """Return (SIZE, SIZE, 3) linear camera RGB of horizontal stripes, one per level of LEVELS, and where each is measured."""
    ground, places = np.empty((SIZE, SIZE, 3)), {}
    borders = np.linspace(_TEXTURE, SIZE - _TEXTURE, len(LEVELS) + 1).astype(int)
    for level, top, bottom in zip(LEVELS, borders, borders[1:], strict=False):
        ground[top:bottom] = level
        places[level] = (slice(top + _CLEAR // 2, bottom - _CLEAR // 2), slice(_TEXTURE + _CLEAR, SIZE - _TEXTURE - _CLEAR))
    return _in_texture(ground, neutral), places


def measured(isos: Sequence[float], seeds: int, blur: float, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure all figures. "edges": per ISO, kind of edge, angle, method ("truth", "fast", "best") and colour; "flat": per ISO, level and mode."""
    colour = camera_colour()
    neutral = np.asarray(colour.as_shot_neutral)
    edges, flat = [], []
    for iso in isos:
        for kind, sides in EDGES.items():
            for angle in ANGLES:
                progress(f"ISO {iso:g}, {kind}, {angle:g} degrees")
                edges += [{"iso": iso, "edge": kind, "angle_deg": angle, **found} for found in _edge(iso, angle, sides, neutral, seeds, blur)]
        progress(f"ISO {iso:g}, flat ground")
        flat += [{"iso": iso, **found} for found in _flat(iso, colour, seeds, blur)]
    return {"benchmark": "edge", "frames": _FRAMES, "scale": _SCALE, "seeds": seeds, "blur_px": blur, "edges": edges, "flat": flat}


def _edge(iso: float, angle: float, sides: Sides, neutral: NDArray[np.float64], seeds: int, blur: float) -> list[Record]:
    balance = neutral.astype(np.float32)
    charts: dict[str, list[tuple[Floats, Line]]] = {"truth": [], **{mode: [] for mode in MODES}}
    for seed in range(seeds):
        line = edge_line(angle, offset=seed / seeds + BIN / 2)
        chart = edge_chart(line, sides, neutral)
        made = _photographed(chart, iso, blur, seed)
        charts["truth"].append((chart / balance, line))
        for mode in MODES:
            charts[mode].append((_developed(made, mode) / balance, line))
    found = {method: shapes(*profile(images)) for method, images in charts.items()}
    return [{"method": m, "colour": name, **shape.as_json()} for m, colours in found.items() for name, shape in zip("RGB", colours, strict=True)]


def _flat(iso: float, colour: Colour, seeds: int, blur: float) -> list[Record]:
    neutral = np.asarray(colour.as_shot_neutral, np.float32)
    chart, places = patch_chart(np.asarray(colour.as_shot_neutral))
    bursts = [_photographed(chart, iso, blur, seed) for seed in range(seeds)]
    images = {mode: [_developed(made, mode) for made in bursts] for mode in MODES}
    records = []
    for level, place in places.items():
        for mode, found in images.items():
            linear = [_deviation(image[place] / neutral) for image in found]
            shown = [_deviation(display_srgb(image[place], colour)) for image in found]
            means = {"linear": np.mean(linear, axis=0).tolist(), "srgb": np.mean(shown, axis=0).tolist()}
            bias = np.mean([(image[place] / neutral).mean((0, 1)) for image in found], axis=0) - level
            records.append({"level": level, "method": mode, **means, "bias": bias.tolist()})
    return records


def _deviation(patch: Floats) -> NDArray[np.float64]:
    return np.asarray(patch.std((0, 1), dtype=np.float64))


def _photographed(chart: Floats, iso: float, blur: float, seed: int) -> SimulatedBurst:
    settings = SimulateSettings(frames=_FRAMES, scale=_SCALE, iso=iso, blur_sigma_px=blur, linear=True)
    return simulate_burst(chart, settings, np.random.default_rng([seed, 5]), "chart")


def _developed(made: SimulatedBurst, mode: Mode) -> Floats:
    return super_resolve(made.burst, settings_of(_SCALE, mode, made.settings.blur_sigma_px)).image


def _in_texture(ground: NDArray[np.floating], neutral: NDArray[np.float64]) -> Floats:
    """Surround `ground` (SIZE, SIZE, 3), white-balanced, by random grey squares; return camera RGB."""
    squares = np.random.default_rng(0).uniform(0.05, 0.6, (SIZE // _SQUARE, SIZE // _SQUARE, 1))
    image = cv2.resize(squares, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)[..., None].repeat(3, axis=2)
    inside = np.s_[_TEXTURE:-_TEXTURE, _TEXTURE:-_TEXTURE]
    image[inside] = ground[inside]
    return np.asarray(image * neutral, np.float32)


def as_text(found: dict[str, Any]) -> str:
    """Format the result as Markdown."""
    percent = ("overshoot", "undershoot", "noise")
    head = ["ISO", "edge", "degrees", "method", *(f"{name}, % {c}" for name in percent for c in "RGB"), *(f"10-90 %, px {c}" for c in "RGB")]
    rows = []
    for i in range(0, len(found["edges"]), 3):
        colours = found["edges"][i : i + 3]
        numbers = [cell(100 * record[name], 2) for name in percent for record in colours] + [cell(record["rise_px"], 2) for record in colours]
        rows.append([f"{colours[0]['iso']:g}", colours[0]["edge"], f"{colours[0]['angle_deg']:g}", colours[0]["method"], *numbers])
    note = "Shares of the step; of a colour without one, of the largest step; below 0: a level not reached within 8 px. Noise: of a bin. Output pixels."
    names = ("linear", "srgb", "bias")
    flat_head = ["ISO", "level", "method", *(f"{name}, % {c}" for name in names for c in "RGB")]
    flat = [[f"{r['iso']:g}", f"{r['level']:g}", r["method"], *(cell(100 * v, 3) for name in names for v in r[name])] for r in found["flat"]]
    flat_note = "Deviation on flat ground, white-balanced linear and as sRGB shows it, and how far the linear mean is off; % of white."
    return f"{markdown(head, rows)}\n\n{note}\n\n{markdown(flat_head, flat)}\n\n{flat_note}\n"


def _echo(name: str) -> None:
    sys.stderr.write(f"{name}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description="Overshoot, rise and flat noise of both modes on simulated charts.")
    parser.add_argument("--iso", type=lambda text: [float(part) for part in text.split(",")], default=[100.0, 1600.0], metavar="N,...")
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="bursts per chart (default 4)")
    parser.add_argument("--blur", type=float, default=0.0, metavar="SIGMA", help="lens, raw pixels; given to mode best (default 0)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    args = parser.parse_args(arguments)
    found = measured(args.iso, args.seeds, args.blur, _echo)
    sys.stdout.write(json.dumps(found, indent=1, allow_nan=False) + "\n" if args.json else as_text(found))


if __name__ == "__main__":
    main()
