"""`burstsr benchmark quality --sections bracket`: several exposures against equal ones, and against the classical merge."""

from __future__ import annotations

import argparse
from pathlib import Path

from burstsr.cli.benchmark_sections import check_options, is_asked_for, measure_cases, write

SECTION = "bracket"


def check(args: argparse.Namespace) -> bool:
    """Whether the section is asked for. Raises SettingsError where options do not fit together."""
    if not is_asked_for(args, SECTION):
        return False
    check_options(SECTION, {name: getattr(args, name) for name in ("frames", "scale", "motion", "blur")}, "it has five hand-held frames, x2")
    return True


def run(args: argparse.Namespace, images: tuple[Path, ...]) -> int:
    """Measure, write bracket.json and bracket.md to the output folder, and print the table."""
    from benchmarks import bracket
    from burstsr.report import versions

    cases = [bracket.Case(image, iso, args.seed) for image in images for iso in args.iso or bracket.ISOS]
    args.output.mkdir(parents=True, exist_ok=True)  # before hours of work
    records = measure_cases(cases, lambda case: f"{case.image.stem} ISO {case.iso:g}", bracket.measure, show=not args.json)
    setup = {"pictures": [path.stem for path in images], "exposures_ev": list(bracket.EVS), "seed": args.seed, "versions": versions()}
    found = {"benchmark": "quality", "section": SECTION, "setup": setup, "records": records}
    return write(args, SECTION, found, f"# burstsr benchmark quality: brackets\n\n{bracket.table(records)}")
