"""Simulated scenes, each with one realistic difficulty: dB over the best single frame, blocks that are worse, flow error.

Use: `burstsr benchmark quality --sections real`, or `python -m benchmarks.real --data DIR [--split train|test] [--scenes NAME,...] [--iso N,...]`. Tune on
the first split, report the second.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import data_folder
from benchmarks.rows import menon_frame
from burstsr import super_resolve
from burstsr.core.flow import Flow
from burstsr.io.images import read_image
from burstsr.quality.image_error import display_srgb
from burstsr.settings import Settings
from burstsr.simulate.scenes import SCENES, Request, take_scene
from burstsr.simulate.worlds import WorldBurst

Floats = NDArray[np.float32]
Mode = Literal["fast", "best"]
BLOCK = 32  # output pixels along the side of the blocks that are judged
WORSE_DB = 1.0  # below the single frame by more than this, a block counts as bad
_FLOOR = (0.5 / 255) ** 2  # mean squared error below which blocks are perfect to the eye
HEAD = (
    "| scene | mode | dB over the best single frame | inside | outside | bad blocks | worst block, dB | flow error, px | 95 %, px | bursts |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)
SPLITS = {  # images of the Kodak set, and seeds
    "train": (("03", "08", "13"), (0, 1, 2)),
    "test": (("01", "05", "19", "23"), (10, 11, 12)),
}


@dataclass(frozen=True)
class Score:
    """One result against the truth and against the best single frame. bad: share of blocks. worst_db: of the blocks, less the single frame's."""

    gain_db: float
    inside_db: float | None
    outside_db: float | None
    bad: float
    worst_db: float


def score(image: Floats, single: Floats, world: WorldBurst) -> Score:
    """Compare a result with the single frame's, both (h, w, 3) linear camera RGB, 32 output pixels along the border left out."""
    colour = world.burst.info.colour
    border = np.s_[BLOCK : -BLOCK or None, BLOCK : -BLOCK or None]
    truth = display_srgb(world.truth, colour)[border]
    errors = [np.square(display_srgb(x, colour)[border] - truth, dtype=np.float64).mean(axis=-1) for x in (image, single)]
    affected = world.affected[border]
    rows, columns = (n // BLOCK * BLOCK for n in affected.shape)
    blocks = [e[:rows, :columns].reshape(rows // BLOCK, BLOCK, -1, BLOCK).mean(axis=(1, 3)) for e in errors]
    difference = 10 * np.log10((blocks[1] + _FLOOR) / (blocks[0] + _FLOOR))
    return Score(
        _gain(errors, np.ones_like(affected)) or 0.0,
        None if affected.all() else _gain(errors, affected),
        None if affected.all() else _gain(errors, ~affected),
        float(np.mean(difference < -WORSE_DB)),
        float(difference.min()),
    )


def _gain(errors: Sequence[NDArray[np.float64]], mask: NDArray[np.bool_]) -> float | None:
    if not mask.any():
        return None
    return float(10 * np.log10(errors[1][mask].mean() / max(errors[0][mask].mean(), 1e-12)))


def singles(world: WorldBurst) -> dict[str, Floats]:
    """The single frames that the reference alone gives."""
    return {"menon": menon_frame(world.burst.frames[0], world.scale)}


def best_single(world: WorldBurst) -> Floats:
    """The one with the least error."""
    colour = world.burst.info.colour
    truth = display_srgb(world.truth, colour)
    return min(singles(world).values(), key=lambda x: float(np.square(display_srgb(x, colour) - truth).mean()))


def flow_error(world: WorldBurst, flows: Sequence[Flow | None]) -> tuple[float, float] | None:
    """Median and 95th percentile of the error of flows, raw pixels, where the surface is visible; None without any."""
    y, x = np.mgrid[16 : world.flows.shape[1] - 16 : 4, 16 : world.flows.shape[2] - 16 : 4]
    errors = []
    for n, flow in enumerate(flows[1:], 1):
        if flow is None:
            continue
        visible = ~world.occluded[n][y, x]
        errors.append(np.linalg.norm(flow.at(y.astype(float), x.astype(float)) - world.flows[n][y, x], axis=-1)[visible])
    joined = np.concatenate(errors) if errors else np.zeros(0)
    if not joined.size:
        return None
    return float(np.median(joined)), float(np.percentile(joined, 95))


@dataclass(frozen=True)
class Case:
    """A burst to take: a scene of `burstsr.simulate.scenes.SCENES` made from an image; the same case is the same burst."""

    scene: str
    image: Path
    iso: float = 100.0
    seed: int = 0
    frames: int = 13


def world_of(case: Case) -> WorldBurst:
    """The burst of a case."""
    rng = np.random.default_rng([case.seed, zlib.crc32(f"{case.scene} {case.image.stem}".encode())])
    return take_scene(case.scene, Request(read_image(case.image).rgb, case.iso, case.frames), rng)


def measure(case: Case, settings: Settings | None = None, modes: Sequence[Mode] = ("fast", "best")) -> list[dict[str, Any]]:
    """One record per mode."""
    world = world_of(case)
    single = best_single(world)
    records = []
    for mode in modes:
        result = super_resolve(world.burst, replace(settings or Settings(), scale=world.scale, mode=mode, reference=0, measure_noise=False))
        named = {"scene": case.scene, "picture": case.image.stem, "iso": case.iso, "seed": case.seed, "mode": mode}
        error = flow_error(world, result.flows) or (None, None)
        records.append({**named, **asdict(score(result.image, single, world)), "flow_median_px": error[0], "flow_p95_px": error[1]})
    return records


def chosen_cases(split: str, scenes: Sequence[str], isos: Sequence[float], images: Sequence[Path], seeds: int) -> list[Case]:
    """Return the cases, scene by scene. images: instead of those of the split. seeds: how many of the split's, at most."""
    own_seeds = SPLITS[split][1][:seeds]
    return [Case(scene, image, iso, seed) for scene, image, iso, seed in product(scenes, images, isos, own_seeds)]


def images_of(split: str, data: Path | None) -> list[Path]:
    """Return the images of a split. Raises SettingsError where there is no test data."""
    folder = data_folder(data) / "testsets" / "Kodak24"
    return [folder / f"{name}.png" for name in SPLITS[split][0]]


def table(records: Sequence[dict[str, Any]]) -> str:
    """Format the table of all scenes and modes."""
    keys = dict.fromkeys((record["scene"], record["mode"]) for record in records)
    lines = [summary(scene, mode, [r for r in records if (r["scene"], r["mode"]) == (scene, mode)]) for scene, mode in keys]
    return "\n".join([HEAD, *lines]) + "\n"


def summary(scene: str, mode: str, records: Sequence[dict[str, Any]]) -> str:
    """A line of the table: means over a scene's bursts, the worst of all blocks."""

    def mean(name: str, digits: int = 2, sign: str = "+") -> str:
        values = [record[name] for record in records if record[name] is not None]
        return f"{np.mean(values):{sign}.{digits}f}" if values else "-"

    bad, worst = 100 * np.mean([record["bad"] for record in records]), min(record["worst_db"] for record in records)
    gains, flow = [mean(f"{name}_db") for name in ("gain", "inside", "outside")], [mean(f"flow_{name}_px", 3, "") for name in ("median", "p95")]
    return f"| {' | '.join([scene, mode, *gains, f'{bad:.1f} %', f'{worst:+.1f}', *flow, str(len(records))])} |"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of the scenes that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of test data (default: BURSTSR_DATA)")
    parser.add_argument("--split", choices=tuple(SPLITS), default="train")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--iso", default="100")
    parser.add_argument("--seeds", type=int, default=3, help="at most 3")
    parser.add_argument("--images", "--pictures", type=int, default=4, help="at most as many as the split has")
    args = parser.parse_args(argv)
    images = images_of(args.split, args.data)[: args.images]
    _echo(HEAD)
    for scene in args.scenes.split(","):
        cases = chosen_cases(args.split, [scene], [float(iso) for iso in args.iso.split(",")], images, args.seeds)
        records = [record for case in cases for record in measure(case)]
        for mode in ("fast", "best"):
            _echo(summary(scene, mode, [r for r in records if r["mode"] == mode]))
    return 0


def _echo(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
