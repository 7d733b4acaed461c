"""`burstsr benchmark single`: single-image models on standard test sets."""

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


def add_parser(benchmarks: Any, common: Common) -> None:  # noqa: ANN401  argparse keeps its type to itself
    """Add the arguments. common: adds the common options."""
    single: argparse.ArgumentParser = benchmarks.add_parser(
        "single",
        help="single-image models on Set5 and Set14, on simulated raw frames, and as fallbacks of bursts",
        description="PSNR and SSIM on luma as in the literature (antialiased bicubic, border of scale pixels cropped), gradients relative to the truth, "
        "CPU seconds per output megapixel, tiled against untiled; simulated raw frames of held-back photographs by every way to upscale them; bursts of one "
        "frame and from a tripod by every fallback; and the project's targets. Models without weights are skipped, and named.",
    )
    single.add_argument("--models", metavar="NAME,...", help="names or files of weights (default: all that are installed)")
    single.add_argument("--quick", action="store_true", help="Set5 at x4 and ISO 100 alone, one burst of each kind")
    single.add_argument("--sections", metavar="NAME,...", help="of sets, raw, fallback (default: all)")
    single.add_argument("--back-projection", default="", **choice(("off", "low", "full")), help="of all networks (default: their own)")
    single.add_argument("--device", default="auto", **choice(("auto", "cpu", "cuda", "mps")), help="default auto")
    single.add_argument("--data", type=Path, metavar="DIR", help="folder of test data (default: BURSTSR_DATA)")
    common(single, _single)


def _single(args: argparse.Namespace) -> int:
    from benchmarks import single, single_table
    from benchmarks.data import data_folder
    from benchmarks.single_models import MODELS, SECTIONS, Plan

    models = tuple(args.models.split(",")) if args.models else MODELS
    sections = tuple(args.sections.split(",")) if args.sections else SECTIONS
    if not set(sections) <= set(SECTIONS):
        raise SettingsError(f"--sections must be of {', '.join(SECTIONS)}, not {args.sections!r}")
    plan = Plan(data_folder(args.data), models, quick=args.quick, device=args.device, back_projection=args.back_projection, sections=sections)
    with Bars(1, show=not args.json, title="benchmark") as bars:
        result = single.measure(plan, lambda stage, done, total: bars.stage("single", stage, done, total))
    if args.json:
        echo_json(single_table.as_json(result))
    else:
        echo(single_table.as_text(result))
    return 0
