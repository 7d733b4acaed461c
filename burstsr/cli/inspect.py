"""`burstsr inspect`: what is in a folder, and how it groups into bursts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from burstsr.cli.grouping import HEAD, NUMBERS, find, frame_table, plain, refusal, row
from burstsr.cli.screen import complain, say, say_json, table


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """The command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="what is in a folder: bursts, frames, levels, refused files",
        description="Show how raw frames group into bursts, and what is refused and why. -v shows every frame.",
    )
    parser.add_argument("path", metavar="PATH", nargs="+", type=Path, help="a folder of bursts, a burst, or frames")
    return parser


def run(args: argparse.Namespace) -> int:
    """Do the command; its exit status: 1 if anything is refused."""
    found = find(args.path)
    refusals = {burst.name: refusal(burst) for burst in found.bursts}
    if args.json:
        bursts = [{**plain(burst), "refused": refusals[burst.name] or None} for burst in found.bursts]
        say_json({"bursts": bursts, "refused": [{"path": str(p.path), "reason": p.reason} for p in found.problems]})
        return int(bool(found.problems or any(refusals.values())))
    if found.bursts:
        say(table(HEAD, [row(burst) for burst in found.bursts], right=NUMBERS))
    for burst in found.bursts if args.verbose else ():
        say(f"\n{burst.name}: {burst.infos[0].path.parent}\n{frame_table(burst)}")
    for problem in found.problems:
        complain(f"refused: {problem.reason}")
    for name, reason in refusals.items():
        if reason:
            complain(f"burst {name} refused: {reason}")
    return int(bool(found.problems or any(refusals.values())))
