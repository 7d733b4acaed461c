"""`burstsr benchmark quality --sections bracket`: several exposures against equal ones, and against the classical merge."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from burstsr.cli.console import echo, echo_json
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError

SECTION = "bracket"


def check(args: argparse.Namespace) -> bool:
    """Whether the section is asked for. Raises SettingsError where options do not fit together."""
    if SECTION not in args.sections:
        return False
    if args.sections != (SECTION,):
        raise SettingsError(f"--sections {SECTION} has a table of its own: it cannot be combined with other sections")
    given = [f"--{name}" for name in ("frames", "scale", "motion", "blur") if getattr(args, name)]
    if given:
        raise SettingsError(f"--sections {SECTION} takes no {', '.join(given)}: it has five hand-held frames, x2")
    return True


def run(args: argparse.Namespace, images: tuple[Path, ...]) -> int:
    """Measure, write bracket.json and bracket.md to the output folder, and print the table."""
    from benchmarks import bracket
    from burstsr.io.atomic import atomic
    from burstsr.report import versions

    cases = [bracket.Case(image, iso, args.seed) for image in images for iso in args.iso or bracket.ISOS]
    args.output.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    with Bars(len(cases), show=not args.json) as bars:
        for case in cases:
            name = f"{case.image.stem} ISO {case.iso:g}"
            bars.stage(name, "measure", 0, 1)
            records += bracket.measure(case)
            bars.finished(name)
    setup = {"pictures": [path.stem for path in images], "exposures_ev": list(bracket.EVS), "seed": args.seed, "versions": versions()}
    found = {"benchmark": "quality", "section": SECTION, "setup": setup, "records": records}
    text = f"# burstsr benchmark quality: brackets\n\n{bracket.table(records)}"
    for name, content in (("bracket.json", json.dumps(found, indent=1, allow_nan=False) + "\n"), ("bracket.md", text)):
        with atomic(args.output / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    if args.json:
        echo_json(found)
    else:
        echo(text)
    return 0
