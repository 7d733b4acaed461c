"""`burstsr benchmark quality --sections real`: named scenes of the real world against the best single frame."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from burstsr.cli.console import echo, echo_json
from burstsr.cli.progress import Bars
from burstsr.cli.simulate import SCENES
from burstsr.core.errors import SettingsError

SECTION, SPLITS = "real", ("train", "test")
_QUICK_SEEDS, _SEEDS = 1, 3


def check(args: argparse.Namespace) -> bool:
    """Whether the section is asked for. Raises SettingsError where options do not fit together."""
    if SECTION not in args.sections:
        given = [f"--{name}" for name in ("split", "scenes") if getattr(args, name)]
        if given:
            raise SettingsError(f"{', '.join(given)}: only with --sections {SECTION}")
        return False
    if args.sections != (SECTION,):
        raise SettingsError(f"--sections {SECTION} has a table of its own: it cannot be combined with other sections")
    from benchmarks.rows import TITLES

    changed = {"frames": args.frames, "scale": args.scale, "motion": args.motion, "blur": args.blur, "seed": args.seed, "rows": args.rows != tuple(TITLES)}
    given = [f"--{name}" for name, value in changed.items() if value]
    if given:
        raise SettingsError(f"--sections {SECTION} takes no {', '.join(given)}: scenes have 13 frames, x2, and motion, lens and seeds of their own")
    return True


def run(args: argparse.Namespace, images: tuple[Path, ...] | None) -> int:
    """Measure, write real.json and real.md to the output folder, and print the table. images: None = those of the split."""
    from benchmarks import real
    from burstsr.io.atomic import atomic
    from burstsr.report import versions

    split = args.split or SPLITS[0]
    chosen = list(images or real.images_of(split, args.data))[: 1 if args.quick else None]
    cases = real.chosen_cases(split, args.scenes or SCENES, args.iso or (100.0,), chosen, _QUICK_SEEDS if args.quick else _SEEDS)
    args.output.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    with Bars(len(cases), show=not args.json) as bars:
        for case in cases:
            name = f"{case.scene} {case.image.stem} ISO {case.iso:g} seed {case.seed}"
            bars.stage(name, "measure", 0, 1)
            records += real.measure(case)
            bars.finished(name)
    setup = {"split": split, "pictures": [path.stem for path in chosen], "iso": list(args.iso or (100.0,)), "versions": versions()}
    found = {"benchmark": "quality", "section": SECTION, "setup": setup, "records": records}
    text = f"# burstsr benchmark quality: real scenes, {split} split\n\n{real.table(records)}"
    for name, content in (("real.json", json.dumps(found, indent=1, allow_nan=False) + "\n"), ("real.md", text)):
        with atomic(args.output / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    if args.json:
        echo_json(found)
    else:
        echo(text)
    return 0
