"""`burstsr benchmark quality --sections mosaic`: monochrome, X-Trans and quad Bayer sensors against their best single frame."""

from __future__ import annotations

import argparse
from pathlib import Path

from burstsr.cli.benchmark_sections import check_options, is_asked_for, measure_cases, write

SECTION = "mosaic"


def check(args: argparse.Namespace) -> bool:
    """Whether the section is asked for. Raises SettingsError where options do not fit together."""
    if not is_asked_for(args, SECTION):
        return False
    check_options(SECTION, {name: getattr(args, name) for name in ("frames", "scale", "motion", "blur")}, "it has 13 hand-held frames, x2")
    return True


def run(args: argparse.Namespace, images: tuple[Path, ...]) -> int:
    """Measure, write mosaic.json and mosaic.md to the output folder, and print the table."""
    from benchmarks import mosaic
    from burstsr.report import versions

    cases = [mosaic.Case(image, iso, args.seed) for image in images for iso in args.iso or (mosaic.ISO,)]
    args.output.mkdir(parents=True, exist_ok=True)  # before minutes of work
    records = measure_cases(cases, lambda case: f"{case.image.stem} ISO {case.iso:g}", mosaic.measure, show=not args.json)
    setup = {"pictures": [path.stem for path in images], "isos": list(args.iso or (mosaic.ISO,)), "seed": args.seed, "versions": versions()}
    found = {"benchmark": "quality", "section": SECTION, "setup": setup, "records": records}
    return write(args, SECTION, found, f"# burstsr benchmark quality: other mosaics\n\n{mosaic.table(records)}")
