"""Accuracy of calibration against the truth: noise, black level, lens blur, and the gain of driven offsets.

    python -m benchmarks.calibration [SECTION...] [--seeds 10] [--images N] [--iso N,...] [--data DIR] [--json]

Sections: transfer (flats), burst (noise from bursts), doubt (wrong noise profiles), edge (slanted edge), lens (blur from bursts),
harm (mode best with and without the lens found), m94 (a real burst,
halves against each other), cost (loss in dB by self-estimated noise and blur), jiggle (driven offsets, hand and tripod over numbers of frames). All of them
but m94 are simulated, and reported as mean and worst over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import markdown
from burstsr import Settings, read_burst, super_resolve
from burstsr.core.burst import Burst
from burstsr.core.noise import Noise
from burstsr.io.images import read_image
from burstsr.noise import check_noise_profile, measure
from burstsr.quality.image_error import psnr_srgb
from burstsr.simulate import FrameMotion, SimulatedBurst, SimulateSettings, flows_from_motions, motions_from_record, simulate_burst
from calibration.held_out import HeldOut, best_settings
from calibration.jiggle import jiggle_offsets
from calibration.lens_check import judged
from calibration.noise import make_aligner, noise_from_burst
from calibration.photon_transfer import photon_transfer
from calibration.psf_from_burst import psf_from_burst
from calibration.slanted_edge import psf_from_edge
from calibration.synthetic import edge_frames, flat_frames

Row = dict[str, Any]
EXPOSURES = (0.002, 0.01, 0.03, 0.08, 0.2, 0.4, 0.6, 0.8)
ISOS = (100, 400, 1600, 3200)
LENS_IMAGES = ("testsets/Kodak24/08.png", "testsets/Kodak24/19.png", "testsets/Kodak24/01.png", "testsets/Kodak24/15.png", "testsets/Kodak24/23.png")
DETAILED = ("testsets/Kodak24/08.png", "testsets/Kodak24/19.png")
NOISE_SCENES = (  # and output pixels per raw pixel
    ("testsets/Kodak24/08.png", 1.0),
    ("testsets/Kodak24/13.png", 1.0),
    ("testsets/Kodak24/19.png", 1.0),
    ("photos/lomiri16_aitzgorri_by_Aitzol_Berasategi.jpg", 2.0),
    ("photos/plasma_ColorfulCups.jpg", 2.0),
    ("photos/plasma_BytheWater.jpg", 2.0),
    ("testsets/Kodak24/01.png", 1.0),
    ("testsets/Kodak24/05.png", 1.0),
    ("photos/mate_Dune.jpg", 2.0),
)
NOISE_ISOS, NOISE_SEEDS, NOISE_PART = (100, 400, 1600, 6400), 1, (1280, 1600)
HARM_SEEDS, HARM_PART, HARM_FRAMES, EDGE_ERROR_PX = 1, (384, 384), 8, 0.01
_BORDER = 16


@dataclass(frozen=True)
class Plan:
    """Extent of the measurement. images: the first so many images of each section; None = all. isos: instead of each section's own; () = those."""

    data: Path
    seeds: int
    images: int | None
    isos: tuple[int, ...]


def transfer(plan: Plan) -> list[Row]:
    """Measure two flats at each of eight exposures, 6 megapixels, no darks: errors of alpha and beta in %, of black in DN."""
    rows = []
    for iso in plan.isos or ISOS:
        noise = Noise.of_iso(iso)
        found = []
        for seed in range(plan.seeds):
            record = photon_transfer(flat_frames(EXPOSURES, noise, np.random.default_rng(seed), shape=(2000, 3000), iso=iso, black_dn=511.4))
            black = np.ravel(record.black_dn or ()) - 511.4
            found.append([*(np.array(record.alpha) / noise.alpha - 1), *(np.array(record.beta) / noise.beta - 1), np.abs(black).max() / 100])
        rows.append({"iso": iso, **_statistics(np.array(found), {"alpha %": (0, 3), "beta %": (3, 6), "black DN": (6, 7)})})
    return rows


def burst(plan: Plan) -> list[Row]:
    """Measure one hand-held burst of 13 frames of 0.4 to 0.5 megapixels: errors of alpha and beta over channels, and their errors as told; seed by seed."""
    rows = []
    for name, scale in NOISE_SCENES[: plan.images]:
        for iso in plan.isos or NOISE_ISOS:
            for seed in range(min(plan.seeds, NOISE_SEEDS)):
                made = _made(plan.data / name, seed, part=NOISE_PART, iso=iso, scale=scale)
                record = noise_from_burst(made.burst)
                alpha, beta = np.array(record.alpha) / made.noise.alpha, np.array(record.beta) / made.noise.beta
                told = np.array(record.alpha_error or ()) / made.noise.alpha, np.array(record.beta_error or ()) / np.array(record.beta)
                factor = np.maximum(beta, 1 / np.maximum(beta, 1e-9)).max()
                sigmas = np.abs((np.array(record.alpha) - made.noise.alpha) / np.array(record.alpha_error or ())).max()
                row = {"scene": Path(name).stem[:24], "iso": iso, "alpha %, R G B": " ".join(f"{100 * (a - 1):+.1f}" for a in alpha)}
                row |= {"told %": f"{100 * told[0].max():.1f}", "off by, its sigmas": f"{sigmas:.1f}", "beta, worst factor": f"{factor:.2f}"}
                rows.append({**row, "told, %": f"{100 * told[1].max():.0f}", "unknown": ", ".join(record.unknown or ())})
                _echo(str(rows[-1]))
    return rows


def wrong_profiles(plan: Plan) -> list[Row]:
    """Count the seeds' bursts whose profile, wrong by a factor, is questioned."""
    rows = []
    for name in DETAILED[: plan.images]:
        for iso in plan.isos or ISOS:
            bursts = [_made(plan.data / name, seed, iso=iso) for seed in range(plan.seeds)]
            counts = {f"x{factor:g}": sum(bool(check_noise_profile(m.burst, m.noise.scaled(factor), make_aligner)) for m in bursts) for factor in (0.25, 1, 4)}
            rows.append({"picture": Path(name).stem, "iso": iso, "of": plan.seeds, **counts})
    return rows


def edge(plan: Plan) -> list[Row]:
    """Measure one frame of a slanted edge of 160 pixels: errors of the blur in %."""
    rows = []
    for iso in plan.isos or (100, 800):
        for sigma in (0.3, 0.5, 0.8):
            for angle in (5.0, 15.0):
                found = [
                    psf_from_edge(edge_frames(sigma, Noise.of_iso(iso), np.random.default_rng(s), angle_deg=angle)).psf_sigma_px for s in range(plan.seeds)
                ]
                rows.append({"iso": iso, "sigma px": sigma, "degrees": angle, **_statistics(np.array(found)[:, None] / sigma - 1, {"sigma %": (0, 1)})})
    return rows


def lens(plan: Plan) -> list[Row]:
    """Measure the lens blur from a burst of 13 frames, raw pixels."""
    rows = []
    for iso in plan.isos or (100, 1600):
        for sigma in (0.25, 0.4, 0.6):
            row: Row = {"iso": iso, "sigma px": sigma}
            for name in LENS_IMAGES[: plan.images]:
                found = [psf_from_burst(_made(plan.data / name, seed, iso=iso, blur_sigma_px=sigma).burst) for seed in range(plan.seeds)]
                sigmas, errors = (np.array([getattr(r, field) for r in found]) for field in ("psf_sigma_px", "psf_sigma_error_px"))
                row[Path(name).stem] = f"{sigmas.mean():.2f} +- {sigmas.std():.2f}, told +- {errors.mean():.2f}"
            rows.append(row)
            _echo(str(row))
    return rows


def harm(plan: Plan) -> list[Row]:
    """Measure what mode best gains, dB, by lenses less their errors: found from the burst itself; of an edge, checked; and whether 0.5 px too much pass."""
    rows = []
    for name in DETAILED[: plan.images]:
        for iso in plan.isos or (100, 1600):
            for sigma in (0.0, 0.2, 0.4):
                found = []
                for seed in range(min(plan.seeds, HARM_SEEDS)):
                    made = _made(plan.data / name, seed, part=HARM_PART, iso=iso, blur_sigma_px=sigma, frames=HARM_FRAMES)
                    record, held_out = psf_from_burst(made.burst), HeldOut(made.burst, HARM_PART[0])
                    known = {s: _psnr(made, made.burst, best_settings(s, 0)) for s in {0.0, min(record.certain_px, 1.5), max(sigma - EDGE_ERROR_PX, 0.0)}}
                    edge_px = max(sigma - EDGE_ERROR_PX, 0.0)
                    passed, wrong = (s > 0 and judged(held_out, s).passed for s in (edge_px, sigma + 0.5))
                    values = [record.psf_sigma_px, record.psf_sigma_error_px or 0.0, record.certain_px, known[0.0]]
                    gains = [known[min(record.certain_px, 1.5)] - known[0.0], known[edge_px] - known[0.0]]
                    found.append([*values, *gains, passed, wrong])
                values = np.array(found, np.float64).mean(axis=0).tolist()
                names = ("found px", "error px", "used px", "best dB", "with found, dB", "with edge's, dB", "edge's passes", "0.5 px too wide passes")
                rows.append({"picture": Path(name).stem, "iso": iso, "sigma px": sigma, **dict(zip(names, values, strict=True))})
                _echo(str(rows[-1]))
    return rows


def m94(plan: Plan) -> list[Row]:
    """Measure a real burst: noise from frames 1 to 5, and from 6 to 10, and their difference in %."""
    whole = read_burst(plan.data / "seestar_m94")
    halves = [noise_from_burst(Burst("half", whole.frames[k : k + 5])) for k in (0, 5)]
    a, b = (np.array([h.alpha, h.beta]) for h in halves)
    differ = 200 * np.abs(a - b) / (a + b)
    return [{"channel": c, "alpha": a[0, k], "beta": a[1, k], "alpha differs %": differ[0, k], "beta differs %": differ[1, k]} for k, c in enumerate("RGB")]


def cost(plan: Plan) -> list[Row]:
    """Measure the loss in dB with noise and blur estimated from the burst, against the true ones; lens of 0.4 px."""
    rows = []
    for name in DETAILED[: plan.images]:
        for iso in plan.isos or (100, 1600):
            found = []
            for seed in range(plan.seeds):
                made = _made(plan.data / name, seed, iso=iso, blur_sigma_px=0.4)
                own = measure(made.burst, made.noise, make_aligner).noise
                calibrated = Burst("b", tuple(f.with_info(replace(f.info, noise=own)) for f in made.burst))
                blur = psf_from_burst(calibrated).psf_sigma_px
                fast = [_psnr(made, b, Settings(reference=0)) for b in (made.burst, calibrated)]
                best = [_psnr(made, b, best_settings(s, 0)) for b, s in ((made.burst, 0.4), (calibrated, 0.4), (calibrated, blur))]
                found.append([fast[0] - fast[1], best[0] - best[1], best[0] - best[2], blur])
            values = np.array(found)
            names = ("fast, own noise", "best, own noise", "best, own noise and blur", "blur px")
            rows.append({"picture": Path(name).stem, "iso": iso, **{n: f"{values[:, k].mean():.3f} ({values[:, k].max():.3f})" for k, n in enumerate(names)}})
            _echo(str(rows[-1]))
    return rows


def jiggle(plan: Plan) -> list[Row]:
    """Measure sRGB PSNR over numbers of frames: driven offsets with known motion, hand and tripod with estimated motion."""
    rows = []
    for name in DETAILED[: plan.images]:
        for iso in plan.isos or (100, 800):
            for frames in (4, 8, 13):
                offsets = motions_from_record([dict(m) for m in jiggle_offsets(frames, 2.0).motions])
                row: Row = {"picture": Path(name).stem, "iso": iso, "frames": frames}
                for mode in ("fast", "best"):
                    settings = Settings(reference=0) if mode == "fast" else best_settings(0.0, 0)
                    for kind, motion in (("jiggle", offsets), ("hand", "handheld"), ("tripod", "tripod")):
                        values = [_jiggled(plan.data / name, seed, iso, frames, motion, settings) for seed in range(plan.seeds if kind == "hand" else 1)]
                        row[f"{kind}, {mode}"] = f"{np.mean(values):.2f}" + (f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else "")
                rows.append(row)
                _echo(str(row))
    return rows


SECTIONS: dict[str, Callable[[Plan], list[Row]]] = {
    "transfer": transfer,
    "burst": burst,
    "doubt": wrong_profiles,
    "edge": edge,
    "lens": lens,
    "harm": harm,
    "m94": m94,
    "cost": cost,
    "jiggle": jiggle,
}


def _jiggled(image: Path, seed: int, iso: float, frames: int, motion: str | tuple[FrameMotion, ...], settings: Settings) -> float:
    made = _made(image, seed, iso=iso, frames=frames, motion=motion)
    flows = None if isinstance(motion, str) else flows_from_motions(made.motions, 0, made.burst.info.shape)
    return psnr_srgb(super_resolve(made.burst, settings, flows=flows).image, made.truth, made.burst.info.colour, _BORDER)


def _psnr(made: SimulatedBurst, frames: Burst, settings: Settings) -> float:
    return psnr_srgb(super_resolve(frames, settings).image, made.truth, made.burst.info.colour, _BORDER)


def _made(image: Path, seed: int, part: tuple[int, int] | None = None, **more: Any) -> SimulatedBurst:  # noqa: ANN401  fields of SimulateSettings
    """Simulate a burst of an image, or of its central `part`, (height, width)."""
    rgb = read_image(image).rgb
    if part is not None:
        top, left = (max(n - p, 0) // 2 for n, p in zip(rgb.shape, part, strict=False))
        rgb = np.ascontiguousarray(rgb[top : top + part[0], left : left + part[1]])
    return simulate_burst(rgb, SimulateSettings(**more), np.random.default_rng([seed, 7]), image.stem)


def _statistics(errors: NDArray[np.float64], columns: dict[str, tuple[int, int]]) -> Row:
    """Return mean, standard deviation and worst of relative errors, in %, per group of columns: over channels and seeds."""
    row: Row = {}
    for name, (a, b) in columns.items():
        part = 100 * errors[:, a:b]
        row[name] = f"{part.mean():+.2f} +- {part.std():.2f}, worst {np.abs(part).max():.2f}"
    return row


def _echo(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print tables or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description="How well calibration finds again what is true.")
    parser.add_argument("section", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="default 10")
    parser.add_argument("--images", "--pictures", type=int, metavar="N", help="only the first N of each section (default: all)")
    parser.add_argument("--iso", type=lambda text: tuple(int(part) for part in text.split(",")), default=(), metavar="N,...", help="default: each section's")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BURSTSR_DATA", "data")), metavar="DIR", help="test data (default: BURSTSR_DATA)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    args = parser.parse_args(arguments)
    unknown = sorted(set(args.section) - set(SECTIONS))
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    plan = Plan(args.data, args.seeds, args.images, args.iso)
    found = {name: SECTIONS[name](plan) for name in args.section or SECTIONS}
    if args.json:
        sys.stdout.write(json.dumps({"benchmark": "calibration", "seeds": args.seeds, "sections": found}, indent=1) + "\n")
        return
    for name, rows in found.items():
        cells = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
        sys.stdout.write(f"{name}: {(SECTIONS[name].__doc__ or '').strip()}\n\n{markdown(list(rows[0]), cells)}\n\n")


if __name__ == "__main__":
    main()
