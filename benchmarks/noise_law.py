"""The noise that a result claims (its NoiseProfile) against its true noise, on simulated flat grey fields.

    python -m benchmarks.noise_law [--mode fast|best] [--scale 2]... [--iso 400]... [--frames 5]... [--rejected 0]... [--side 128]

Frames are shifted by random, known sub-pixel offsets; a share of them is brighter, so that robustness rejects them. Prints claimed over measured sigma,
averaged over pixels, per channel and level.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.result import Result
from burstsr.pipeline import super_resolve
from burstsr.settings import Settings

NEUTRAL = np.array([0.5, 1.0, 0.625])
LIGHTS = (0.02, 0.1, 0.3, 0.7)  # of the flat fields, of green's saturation
_LEVELS = Levels(np.full((2, 2), 4096.0), 65535.0)
_BORDER = 8  # raw pixels that are not measured


def flat_burst(noise: Noise, light: float, frames: int, rejected: int, side: int, rng: np.random.Generator) -> tuple[Burst, list[Flow]]:
    """Simulate flat grey frames, with their motion; the last `rejected` of them at least twice as bright."""
    cfa = Cfa.parse("RGGB")
    info = FrameInfo(Path("flat"), (side, side), cfa, _LEVELS, Colour(NEUTRAL), noise=noise, iso=100.0, exposure_s=0.01)  # of all frames: no bracket
    mask = cfa.channel_map((side, side))
    made, flows = [], []
    for n in range(frames):
        flow = Flow.zero((side, side), 16)
        flows.append(Flow(flow.tiles + np.float32(n > 0) * rng.uniform(-3, 3, 2).astype(np.float32), 16))
        mean = NEUTRAL[mask] * light * (1 if n < frames - rejected else 1.25) + (0 if n < frames - rejected else 0.2)
        samples = mean + np.sqrt(noise.alpha[mask] * mean + noise.beta[mask]) * rng.standard_normal((side, side))
        made.append(Frame(info, np.clip(np.rint(4096 + samples * (65535 - 4096)), 0, 65535).astype(np.uint16)))
    return Burst("flat", tuple(made)), flows


def claims(image: Result, light: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the (3,) ratio of claimed to true sigma of the result of a flat field."""
    assert image.noise_model is not None
    border = round(_BORDER * image.scale)
    has = image.image[border:-border, border:-border].std(axis=(0, 1), dtype=np.float64)
    claimed = np.array([float(np.sqrt(image.noise_model.variance(NEUTRAL[c] * light, c))) for c in range(3)])
    return np.asarray(claimed / has)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each combination of the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noise_law", description="Claimed over measured sigma on flat ground.")
    parser.add_argument("--mode", choices=("fast", "best"), default="fast")
    parser.add_argument("--side", type=int, default=128)
    kinds: dict[str, tuple[type, list[float]]] = {"scale": (float, [2]), "iso": (float, [400]), "frames": (int, [5]), "rejected": (float, [0])}
    for name, (kind, default) in kinds.items():
        parser.add_argument(f"--{name}", type=kind, nargs="+", default=default)
    args = parser.parse_args(arguments)
    for iso, frames, scale, rejected in itertools.product(args.iso, args.frames, args.scale, args.rejected):
        ratios, noise = [], Noise.of_iso(iso)
        for light in LIGHTS:
            burst, flows = flat_burst(noise, light, frames, round(rejected * (frames - 1)), args.side, np.random.default_rng(round(1000 * light)))
            image = super_resolve(burst, Settings(scale=scale, mode=args.mode, reference=0), flows=flows)
            ratios.append("/".join(f"{ratio:.2f}" for ratio in claims(image, light)))
        sys.stdout.write(f"ISO {iso:5.0f} {frames:4d} frames x{scale:<4g} {100 * rejected:3.0f} % rejected  {'  '.join(ratios)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
