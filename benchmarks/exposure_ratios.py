"""Errors of exposure ratios: simulated brackets, without EXIF and with EXIF that is wrong by a third of a stop.

`python -m benchmarks.exposure_ratios IMAGE... [--iso 100,400,3200] [--scale 1]` prints the errors of each frame, in percent, and how many are within limits.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.bracket import lifted
from burstsr.bracket.blocks import blocks_of
from burstsr.bracket.exposure import measure_ratios
from burstsr.core.burst import Frame
from burstsr.core.report import ExposureRatio
from burstsr.io.images import read_image
from burstsr.simulate import SimulatedBurst, SimulateSettings, simulate_burst

EVS = (0.0, -2.0, -1.0, 1.0, 2.0)
_WRONG_EV = 1 / 3
_LIMITS = (0.005, 0.02)


def bracket_of_image(image: Path, iso: float, scale: float) -> SimulatedBurst:
    """Return a simulated bracket of an image with highlights."""
    settings = SimulateSettings(frames=len(EVS), iso=iso, exposures_ev=EVS, linear=True, scale=scale)
    return simulate_burst(lifted(read_image(image).rgb), settings, np.random.default_rng([0, zlib.crc32(image.stem.encode())]), image.stem)


def with_exif_off(frames: Sequence[Frame], ev: float | None) -> list[Frame]:
    """Return frames whose exposure times are wrong by `ev` stops, up and down in turn, but for the first; None: without times and ISO."""
    if ev is None:
        return [f.with_info(replace(f.info, iso=0.0, exposure_s=0.0)) for f in frames]
    factors = [2.0 ** (ev * (0 if i == 0 else 1 if i % 2 else -1)) for i in range(len(frames))]
    return [f.with_info(replace(f.info, exposure_s=f.info.exposure_s * factor)) for f, factor in zip(frames, factors, strict=True)]


def errors(made: SimulatedBurst, frames: Sequence[Frame]) -> list[tuple[float, ExposureRatio]]:
    """Return, for every frame but the first, the relative error of the ratio that is used, and the ratio."""
    ratios = measure_ratios(frames, [blocks_of(frame, made.noise) for frame in frames], 0)
    return [(ratio.value / 2.0**ev - 1, ratio) for ev, ratio in zip(EVS[1:], ratios[1:], strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exposure_ratios", description=__doc__)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--iso", default="100,400,3200")
    parser.add_argument("--scale", type=float, default=1.0, help="image pixels per raw pixel (default 1: frames of the image's size)")
    args = parser.parse_args()
    for iso in (float(v) for v in args.iso.split(",")):
        found = []
        for image in args.images:
            made = bracket_of_image(image, iso, args.scale)
            for kind, ev in (("no EXIF", None), ("wrong EXIF", _WRONG_EV)):
                own = errors(made, with_exif_off(made.burst.frames, ev))
                found += own
                shown = "  ".join(f"{100 * error:+.2f} ({100 * ratio.error:.2f})" for error, ratio in own)
                sys.stdout.write(f"ISO {iso:g} {image.stem} {kind:10} {shown}\n")
        within = ", ".join(f"{sum(abs(error) <= limit for error, _ in found)} within {100 * limit:g} %" for limit in _LIMITS)
        sigmas = np.array([error / ratio.error for error, ratio in found if np.isfinite(ratio.error)])
        sys.stdout.write(f"ISO {iso:g}: {len(found)} ratios, {within}, RMS of error over its standard error {np.sqrt(np.mean(sigmas**2)):.2f}\n")


if __name__ == "__main__":
    main()
