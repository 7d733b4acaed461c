"""`burstsr benchmark quality --sections real`: named scenes of the real world against the best single frame."""

from __future__ import annotations

import argparse
from pathlib import Path

from burstsr.cli.benchmark_sections import check_options, is_asked_for, measure_cases, write
from burstsr.cli.simulate import SCENES
from burstsr.core.errors import SettingsError

SECTION, SPLITS = "real", ("train", "test")
_QUICK_SEEDS, _SEEDS = 1, 3


def check(args: argparse.Namespace) -> bool:
    """Whether the section is asked for. Raises SettingsError where options do not fit together."""
    if not is_asked_for(args, SECTION):
        given = [f"--{name}" for name in ("split", "scenes") if getattr(args, name)]
        if given:
            raise SettingsError(f"{', '.join(given)}: only with --sections {SECTION}")
        return False
    from benchmarks.rows import TITLES

    changed = {"frames": args.frames, "scale": args.scale, "motion": args.motion, "blur": args.blur, "seed": args.seed, "rows": args.rows != tuple(TITLES)}
    check_options(SECTION, changed, "scenes have 13 frames, x2, and motion, lens and seeds of their own")
    return True


def run(args: argparse.Namespace, images: tuple[Path, ...] | None) -> int:
    """Measure, write real.json and real.md to the output folder, and print the table. images: None = those of the split."""
    from benchmarks import real
    from burstsr.report import versions

    split = args.split or SPLITS[0]
    chosen = list(images or real.images_of(split, args.data))[: 1 if args.quick else None]
    cases = real.chosen_cases(split, args.scenes or SCENES, args.iso or (100.0,), chosen, _QUICK_SEEDS if args.quick else _SEEDS)
    args.output.mkdir(parents=True, exist_ok=True)  # before hours of work
    records = measure_cases(cases, lambda case: f"{case.scene} {case.image.stem} ISO {case.iso:g} seed {case.seed}", real.measure, show=not args.json)
    setup = {"split": split, "pictures": [path.stem for path in chosen], "iso": list(args.iso or (100.0,)), "versions": versions()}
    found = {"benchmark": "quality", "section": SECTION, "setup": setup, "records": records}
    return write(args, SECTION, found, f"# burstsr benchmark quality: real scenes, {split} split\n\n{real.table(records)}")
