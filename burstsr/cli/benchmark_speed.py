"""`burstsr benchmark merge` and `burstsr benchmark pipeline`: time and memory."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from burstsr.cli.console import echo, echo_json
from burstsr.cli.options import choice
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError

Common = Callable[[argparse.ArgumentParser, Callable[[argparse.Namespace], int]], None]
SIZES_MP, COUNTS = "3,6,12", "4,8,16,32"  # of --growth


def add_parsers(benchmarks: Any, common: Common) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the arguments of both. common: adds the common options."""
    merge: argparse.ArgumentParser = benchmarks.add_parser(
        "merge",
        help="speed of the merge, compared with a naive loop, drizzle and the machine's roofline",
        description="Merge random frames with random motion and kernels, and report nanoseconds per output pixel and frame, GB/s and GFLOP/s, with one thread "
        "and with all. The result is first checked against a naive loop and plain NumPy; where it differs, the exit status is 1 and nothing is timed. 12MP "
        "takes some minutes and 4 GB of memory.",
    )
    _common_sizes(merge)
    merge.add_argument("--threads", type=int, default=0, metavar="N", help="maximum number of threads; 1 is measured too (default: all)")
    merge.add_argument("--runs", type=int, default=5, metavar="N", help="runs of the merge; at most 3 of the others (default 5)")
    merge.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    common(merge, _merge)

    pipeline: argparse.ArgumentParser = benchmarks.add_parser(
        "pipeline",
        help="time and memory of every stage, and their growth",
        description="Simulate a burst, process it in a fresh, warmed-up process, and report time and peak memory of every stage, from DNGs to DNG and preview. "
        "Background reading and writing counts where a stage waits for it. "
        f"--growth: also at {SIZES_MP} megapixels with 13 frames and with {COUNTS} frames of 3, with fitted exponents; takes some minutes and 0.6 GB of "
        "temporary files. --sizes 3,6,12,24,48 needs 2 GB of them, about four times as long, and 14 GB of memory at scale 2.",
    )
    _common_sizes(pipeline)
    pipeline.add_argument("--mode", **choice(("fast", "best")), default="fast", help="default fast")
    pipeline.add_argument("--growth", action="store_true", help="measure growth with pixels and with frames")
    pipeline.add_argument("--sizes", type=_listed(_megapixels), metavar="SIZE,...", help=f"sizes of --growth, in megapixels or as --size (default {SIZES_MP})")
    pipeline.add_argument("--counts", type=_listed(int), metavar="N,...", help=f"numbers of frames of --growth (default {COUNTS})")
    pipeline.add_argument("--plot", type=Path, metavar="FILE", help="plot the result: .png or .svg (requires the extra plots)")
    common(pipeline, _pipeline)


def _common_sizes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", type=size, default=size("12MP"), metavar="SIZE", help="frame size: 12MP (4:3), or 4000x3000, width x height (default 12MP)")
    parser.add_argument("--frames", type=int, default=13, metavar="N", help="number of frames (default 13)")
    parser.add_argument("--scale", type=float, default=2.0, metavar="S", help="magnification, 1 to 4 (default 2)")


def size(text: str) -> tuple[int, int]:
    """Parse "4000x3000" (width x height) or "12MP" (4:3, rounded to even sides) into (height, width).

    >>> size("12MP"), size("3MP"), size("4000x3000")
    ((3000, 4000), (1500, 2000), (3000, 4000))
    """
    lower = text.lower().strip()
    try:
        if lower.endswith("mp"):
            height = 2 * round((float(lower[:-2]) * 1e6 * 3 / 4) ** 0.5 / 2)
            return height, 2 * round(height * 2 / 3)
        width, height = (int(part) for part in lower.split("x"))
    except (ValueError, TypeError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a size such as 12MP or 4000x3000") from None
    return height, width


def _megapixels(text: str) -> tuple[int, int]:
    """As `size`; a bare number is megapixels."""
    return size(text if text.lower().endswith("mp") or "x" in text.lower() else f"{text}MP")


def _listed(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def listed(text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r}: expected integers, separated by commas") from None

    return listed


def _merge(args: argparse.Namespace) -> int:
    from benchmarks import merge_speed

    plan = merge_speed.Plan(args.size, args.frames, args.scale, args.threads, args.runs, args.seed)
    with Bars(1, show=not args.json) as bars:
        result = merge_speed.measure(plan, lambda stage, done, total: bars.stage("merge", stage, done, total))
    if args.json:
        echo_json(merge_speed.as_json(result))
    else:
        echo(merge_speed.as_text(result))
    return 0


def _pipeline(args: argparse.Namespace) -> int:
    from benchmarks import pipeline_cost, pipeline_plot

    if not args.growth and (args.sizes or args.counts):
        raise SettingsError("--sizes and --counts require --growth")
    sizes = (args.sizes or _listed(_megapixels)(SIZES_MP)) if args.growth else ()
    counts = (args.counts or _listed(int)(COUNTS)) if args.growth else ()
    plan = pipeline_cost.Plan(args.size, args.frames, args.scale, args.mode, sizes, counts)
    if args.plot:
        pipeline_plot.check(args.plot)
    with Bars(1, show=not args.json) as bars:
        result = pipeline_cost.measure(plan, lambda stage, done, total: bars.stage("pipeline", stage, done, total))
    if args.plot:
        pipeline_plot.write(args.plot, result)
    if args.json:
        echo_json(pipeline_cost.as_json(result))
    else:
        echo(pipeline_cost.as_text(result))
    return 0
