"""`burstsr benchmark`: the program measured. The benchmarks themselves stand beside the package, in a clone."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli import benchmark_single, benchmark_speed
from burstsr.cli.common import add_common
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.options import choice, one_of
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp")
ROWS = ("bilinear", "dht", "menon", "dis", "drizzle", "ours", "ours-true-motion", "best", "best-true-motion")
SECTIONS = ("grid", "short", "tripod", "mover", "counts", "scales", "lamp", "hot", "psf")
MODES = ("fast", "best")
MOTIONS = ("handheld", "tripod", "jiggle")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """The command's arguments, and those of its own commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "benchmark",
        help="measure the program (in a clone: benchmarks are not part of the wheel)",
        description="Measure the program: quality against simulated truth, or the residual of real bursts, which have none.",
    )
    benchmarks = parser.add_subparsers(title="benchmarks", metavar="BENCHMARK", dest="benchmark", required=True)
    _add_quality(benchmarks)
    _add_residual(benchmarks)
    benchmark_speed.add_parsers(benchmarks, _common)
    benchmark_single.add_parser(benchmarks, _common)
    return parser


def _add_quality(benchmarks: Any) -> None:  # noqa: ANN401
    quality: argparse.ArgumentParser = benchmarks.add_parser(
        "quality",
        help="every method on simulated bursts: PSNR, SSIM, chroma error, flow error, seconds",
        description="Simulate bursts of pictures and compare, with the truth, what single frames, averaging, drizzle and burstsr make of them. Without "
        "options: the Kodak set at 13 hand-held frames, x2 and four ISOs, then short, tripod and mover bursts, then, of three pictures and with burstsr's "
        "two modes alone, numbers of frames, scales, a lamp, hot pixels and a lens known wrongly. An axis that is given replaces its default and leaves out "
        "the other sections. Writes quality.json, quality.md and side-by-side crops to OUT.",
    )
    quality.add_argument("image", metavar="IMAGE", nargs="*", type=Path, help="sRGB pictures, or folders of them (default: testsets/Kodak24 of --data)")
    quality.add_argument("--quick", action="store_true", help="five pictures, one or two for the other sections; minutes")
    quality.add_argument("--iso", type=_numbers, default=(), metavar="N,...", help="default 100,400,1600,3200")
    quality.add_argument("--frames", type=_whole_numbers, default=(), metavar="N,...", help="default 13")
    quality.add_argument("--scale", type=_numbers, default=(), metavar="S,...", help="1 to 4; default 2")
    quality.add_argument("--motion", type=_words(MOTIONS), default=(), metavar="NAME,...", help=f"{', '.join(MOTIONS)}; default handheld")
    quality.add_argument("--sections", type=_words(SECTIONS), default=(), metavar="NAME,...", help=f"of {', '.join(SECTIONS)}")
    quality.add_argument("--rows", type=_words(ROWS), default=ROWS, metavar="NAME,...", help=f"of {', '.join(ROWS)}")
    quality.add_argument("--blur", type=float, default=0.0, metavar="SIGMA", help="lens: deviation of its Gaussian in raw pixels (default 0)")
    quality.add_argument("--seed", type=int, default=0, help="default 0; the same seed gives the same bursts")
    quality.add_argument("--data", type=Path, metavar="DIR", help="folder of test data (default: BURSTSR_DATA)")
    quality.add_argument("--out", type=Path, default=Path("burstsr-benchmark"), metavar="DIR", help="default burstsr-benchmark")
    _common(quality, _quality)


def _add_residual(benchmarks: Any) -> None:  # noqa: ANN401
    residual: argparse.ArgumentParser = benchmarks.add_parser(
        "residual",
        help="real bursts, without truth: frames left out and predicted from the others",
        description="Leave frames out in turn, merge the others, predict what was left out, and compare the residual with the noise model. 1.0 = all that is "
        "unexplained is noise. Beside it the same prediction from the reference frame alone.",
    )
    residual.add_argument("path", metavar="PATH", nargs="+", type=Path, help="a folder with one burst, or its frames")
    residual.add_argument("--folds", type=int, metavar="K", help="leave out every K-th frame at a time (default: one frame at a time up to 10 frames, else 5)")
    residual.add_argument("--scale", type=float, default=2.0, metavar="S", help="of the merged picture, 1 to 4 (default 2)")
    residual.add_argument("--reference", type=int, metavar="N", help="frame that stays in every merge (default: the sharpest)")
    residual.add_argument("--noise", type=_pair, metavar="ALPHA,BETA", help="noise model to compare with, instead of the files' or the estimated one")
    residual.add_argument("--mode", **choice(MODES), default="fast", help="of the merge (default fast)")
    _common(residual, _residual)


def _common(parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int]) -> None:
    """What every benchmark takes; also when it stands behind the benchmark's name."""
    add_common(parser, inner=True)
    parser.set_defaults(work=work)


def run(args: argparse.Namespace) -> int:
    """Do the command; its exit status."""
    if find_spec("benchmarks") is None or find_spec("benchmarks.quality") is None:
        raise SettingsError("benchmarks are not part of the installed package: clone the repository and install it with pip install -e '.[benchmark]'")
    return int(args.work(args))


def _quality(args: argparse.Namespace) -> int:
    from benchmarks import grid, quality, rows, table
    from benchmarks.data import data_folder
    from burstsr.io.atomic import atomic

    if args.seed < 0:
        raise SettingsError(f"--seed must be at least 0, not {args.seed}")
    if args.out.exists() and not args.out.is_dir():
        raise SettingsError(f"--out {args.out}: is a file; a folder is needed")
    images = _pictures(args.image or [data_folder(args.data) / "testsets" / "Kodak24"])
    images = grid.quick_choice(images) if args.quick else images
    axes = {name: getattr(args, name) for name in ("iso", "frames", "scale", "motion", "sections", "quick", "blur", "seed")}
    cases = grid.Grid(images=images, **axes).cases()
    chosen, notes = rows.chosen_rows(args.rows)
    for note in notes:
        warn(note)
    args.out.mkdir(parents=True, exist_ok=True)
    with Bars(len(cases), show=not args.json) as bars:
        result = quality.run(cases, chosen, notes, args.out, bars.stage, bars.finished)
    found = quality.as_json(result)
    for name, text in (("quality.json", json.dumps(found, indent=1, allow_nan=False) + "\n"), ("quality.md", table.full(result))):
        with atomic(args.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if args.json:
        echo_json(found)
    else:
        echo(f"{table.short(result)}\n{args.out / 'quality.md'} has every picture, {args.out} the side-by-side crops.")
    return 0


def _residual(args: argparse.Namespace) -> int:
    import numpy as np

    from benchmarks import residual
    from burstsr import read_burst
    from burstsr.core.noise import Noise

    paths = [str(path) for path in args.path]
    burst = read_burst(paths if len(paths) > 1 else paths[0])
    noise = Noise(*(np.full(3, value) for value in args.noise)) if args.noise else None
    plan = residual.Plan(folds=args.folds, scale=args.scale, reference=args.reference, noise=noise, mode=args.mode)
    with Bars(1, show=not args.json) as bars:
        result = residual.measure(burst, plan, lambda done, total: bars.stage(burst.name, "leave out", done, total))
    if args.json:
        echo_json(residual.as_json(result))
    else:
        echo(residual.as_text(result))
    return 0


def _pictures(places: list[Path]) -> tuple[Path, ...]:
    """Pictures named, and those inside folders, sorted by name; their stems must differ."""
    found: list[Path] = []
    for place in places:
        found += sorted(p for p in place.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES) if place.is_dir() else [place]
    missing = [str(path) for path in found if not path.is_file()]
    if missing or not found:
        raise SettingsError(f"no such picture: {', '.join(missing)}" if missing else f"no pictures in {', '.join(map(str, places))}")
    twice = {path.stem for path in found if [p.stem for p in found].count(path.stem) > 1}
    if twice:
        raise SettingsError(f"several pictures are named {', '.join(sorted(twice))}; the table could not tell them apart")
    return tuple(found)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers, separated by commas") from None
    if not all(0 < value < 1e9 for value in values):
        raise argparse.ArgumentTypeError(f"must be above 0, all of {text!r}")
    return values


def _whole_numbers(text: str) -> tuple[int, ...]:
    values = _numbers(text)
    if not all(value == int(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers")
    return tuple(int(value) for value in values)


def _words(allowed: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def words(text: str) -> tuple[str, ...]:
        chosen = tuple(map(one_of(allowed), text.split(",")))
        if not set(chosen) <= set(allowed):
            raise argparse.ArgumentTypeError(f"must be some of {', '.join(allowed)}, separated by commas, not {text!r}")
        return chosen

    return words


def _pair(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 2 or not all(0 <= value < 1 for value in values):
        raise argparse.ArgumentTypeError(f"must be two numbers from 0 to below 1, ALPHA,BETA, such as 4e-4,1e-6, not {text!r}")
    return values
