"""`burstsr benchmark`: run the benchmarks, which are part of a clone but not of the package."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli import benchmark_bracket, benchmark_mosaic, benchmark_real, benchmark_sections, benchmark_single, benchmark_speed
from burstsr.cli.common import add_common
from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.options import add_old_names, choice, one_of
from burstsr.cli.progress import Bars
from burstsr.cli.simulate import SCENES
from burstsr.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp")
ROWS = ("bilinear", "dht", "menon", "dis", "drizzle", "ours", "ours-true-motion", "best", "best-true-motion")
SECTIONS = ("grid", "short", "tripod", "mover", "counts", "scales", "lamp", "hot", "psf")
ALL_SECTIONS = (*SECTIONS, benchmark_real.SECTION, benchmark_bracket.SECTION, benchmark_mosaic.SECTION)
MODES = ("fast", "best")
MOTIONS = ("handheld", "tripod", "jiggle")


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments, and those of its sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "benchmark",
        help="run benchmarks (in a clone: they are not part of the wheel)",
        description="Measure quality against simulated truth, the residual of real bursts (without truth), speed and memory.",
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
        description="Simulate bursts from images and compare the results of single frames, averaging, drizzle and burstsr with the truth. Without "
        "options: the Kodak set at 13 hand-held frames, x2 and four ISOs, then short and tripod bursts and bursts with a moving object, then, for three "
        "images and burstsr's two modes only, numbers of frames, scales, a flickering lamp, hot pixels and a wrong PSF. An option replaces the default of its "
        "axis and skips the other sections. Writes quality.json, quality.md and side-by-side crops to OUT. --sections real, only on request "
        "and alone: named scenes, each with one realistic difficulty, both modes, dB over the best single frame, blocks that are worse than it, flow error; "
        "writes real.json and real.md. --sections bracket, alone too: five exposures of scenes with highlights against five equal ones and the classical "
        "merge; writes bracket.json and bracket.md. --sections mosaic, alone too: monochrome, X-Trans and quad Bayer against their best single frame; "
        "writes mosaic.json and mosaic.md.",
    )
    quality.add_argument("image", metavar="IMAGE", nargs="*", type=Path, help="sRGB images, or folders of them (default: testsets/Kodak24 of --data)")
    quality.add_argument("--quick", action="store_true", help="five images, one or two for the other sections; takes minutes")
    quality.add_argument("--iso", type=_numbers, default=(), metavar="N,...", help="default 100,400,1600,3200")
    quality.add_argument("--frames", type=_integers, default=(), metavar="N,...", help="default 13")
    quality.add_argument("--scale", type=_numbers, default=(), metavar="S,...", help="1 to 4; default 2")
    quality.add_argument("--motion", type=_words(MOTIONS), default=(), metavar="NAME,...", help=f"{', '.join(MOTIONS)}; default handheld")
    quality.add_argument("--sections", type=_words(ALL_SECTIONS), default=(), metavar="NAME,...", help=f"of {', '.join(SECTIONS)}; or real, bracket or mosaic")
    quality.add_argument("--split", **choice(benchmark_real.SPLITS), help="real: images and seeds to tune on (train, default), or to report (test)")
    quality.add_argument("--scenes", type=_words(SCENES), default=(), metavar="NAME,...", help=f"real: of {', '.join(SCENES)}; default all")
    quality.add_argument("--rows", type=_words(ROWS), default=ROWS, metavar="NAME,...", help=f"of {', '.join(ROWS)}")
    quality.add_argument("--blur", type=float, default=0.0, metavar="SIGMA", help="lens: sigma of the Gaussian PSF, in raw pixels (default 0)")
    quality.add_argument("--seed", type=int, default=0, help="random seed (default 0); the same seed gives the same bursts")
    quality.add_argument("--data", type=Path, metavar="DIR", help="folder of test data (default: BURSTSR_DATA)")
    quality.add_argument("-o", "--output", type=Path, default=Path("burstsr-benchmark"), metavar="OUT", help="output folder (default burstsr-benchmark)")
    add_old_names(quality, {"--out": "--output"})
    _common(quality, _quality)


def _add_residual(benchmarks: Any) -> None:  # noqa: ANN401
    residual: argparse.ArgumentParser = benchmarks.add_parser(
        "residual",
        help="real bursts without truth: predict held-out frames from the others",
        description="Hold out frames in turn, merge the others, predict the held-out frames, and compare the residual with the noise model. 1.0: the residual "
        "is all noise. The same prediction from the reference frame alone is given for comparison.",
    )
    residual.add_argument("path", metavar="PATH", nargs="+", type=Path, help="a folder with one burst, or its frames")
    residual.add_argument("--folds", type=int, metavar="K", help="number of folds: hold out every K-th frame (default: leave-one-out up to 10 frames, else 5)")
    residual.add_argument("--scale", type=float, default=2.0, metavar="S", help="scale of the merged image, 1 to 4 (default 2)")
    residual.add_argument("--reference", type=int, metavar="N", help="reference frame, used in every merge (default: the sharpest)")
    residual.add_argument("--noise", type=_pair, metavar="ALPHA,BETA", help="noise model to compare with, instead of the NoiseProfile or the estimated one")
    residual.add_argument("--mode", **choice(MODES), default="fast", help="mode of the merge (default fast)")
    _common(residual, _residual)


def _common(parser: argparse.ArgumentParser, work: Callable[[argparse.Namespace], int]) -> None:
    """Add the common options, accepted after the benchmark's name too."""
    add_common(parser, inner=True)
    parser.set_defaults(work=work)


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    if find_spec("benchmarks") is None or find_spec("benchmarks.quality") is None:
        raise SettingsError("benchmarks are not part of the installed package: clone the repository and install it with pip install -e '.[benchmark]'")
    return int(args.work(args))


def _quality(args: argparse.Namespace) -> int:
    from benchmarks import grid, quality, rows, table
    from benchmarks.data import data_folder

    if args.seed < 0:
        raise SettingsError(f"--seed must be at least 0, not {args.seed}")
    if args.output.exists() and not args.output.is_dir():
        raise SettingsError(f"--output {args.output}: is a file; must be a folder")
    if benchmark_real.check(args):
        return benchmark_real.run(args, _images(args.image) if args.image else None)
    images = _images(args.image or [data_folder(args.data) / "testsets" / "Kodak24"])
    images = grid.quick_choice(images) if args.quick else images
    if benchmark_bracket.check(args):
        return benchmark_bracket.run(args, images)
    if benchmark_mosaic.check(args):
        return benchmark_mosaic.run(args, images)
    axes = {name: getattr(args, name) for name in ("iso", "frames", "scale", "motion", "sections", "quick", "blur", "seed")}
    cases = grid.Grid(images=images, **axes).cases()
    chosen, notes = rows.chosen_rows(args.rows)
    for note in notes:
        warn(note)
    args.output.mkdir(parents=True, exist_ok=True)
    with Bars(len(cases), show=not args.json) as bars:
        result = quality.run(cases, chosen, notes, args.output, bars.stage, bars.finished)
    shown = f"{table.short(result)}\n{args.output / 'quality.md'} lists every image; side-by-side crops are in {args.output}."
    return benchmark_sections.write(args, "quality", quality.as_json(result), table.full(result), shown)


def _residual(args: argparse.Namespace) -> int:
    import numpy as np

    from benchmarks import residual
    from burstsr import read_burst
    from burstsr.core.noise import Noise

    paths = [str(path) for path in args.path]
    burst = read_burst(paths if len(paths) > 1 else paths[0])
    noise = Noise(np.full(3, args.noise[0]), np.full(3, args.noise[1])) if args.noise else None
    plan = residual.Plan(folds=args.folds, scale=args.scale, reference=args.reference, noise=noise, mode=args.mode)
    with Bars(1, show=not args.json) as bars:
        result = residual.measure(burst, plan, lambda done, total: bars.stage(burst.name, "hold out", done, total))
    if args.json:
        echo_json(residual.as_json(result))
    else:
        echo(residual.as_text(result))
    return 0


def _images(places: list[Path]) -> tuple[Path, ...]:
    """Return the images named, and those inside folders, sorted by name; their stems must differ."""
    found: list[Path] = []
    for place in places:
        found += sorted(p for p in place.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES) if place.is_dir() else [place]
    missing = [str(path) for path in found if not path.is_file()]
    if missing or not found:
        raise SettingsError(f"no such image: {', '.join(missing)}" if missing else f"no images in {', '.join(map(str, places))}")
    twice = {path.stem for path in found if [p.stem for p in found].count(path.stem) > 1}
    if twice:
        raise SettingsError(f"several images are named {', '.join(sorted(twice))}; names must be unique")
    return tuple(found)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers, separated by commas") from None
    if not all(0 < value < 1e9 for value in values):
        raise argparse.ArgumentTypeError(f"must all be above 0, not {text!r}")
    return values


def _integers(text: str) -> tuple[int, ...]:
    values = _numbers(text)
    if not all(value == int(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r}: expected integers")
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
