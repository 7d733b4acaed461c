"""`burstsr report`: a page of results that opens from the disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from burstsr.cli.console import echo, echo_json, warn
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError


def add_parser(commands: Any) -> argparse.ArgumentParser:  # noqa: ANN401  argparse keeps its type to itself
    """Add the command's arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report",
        help="make a page of results to look at in a browser",
        description="Make OUT/report/index.html: a page of all results in OUT that opens from the disk, without a server or network. It shows every burst "
        "with its numbers, failures by reason, and for each burst a comparison at 1:1, robustness, motion, blur and settings. What records do not hold "
        "(one frame alone, robustness maps, flow) is shown of bursts that were processed with --report. A repeated run makes only what has changed.",
    )
    add_folders(parser)
    return parser


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the folders of results, and the place of the page."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of results of burstsr process")
    parser.add_argument("others", metavar="OTHER", nargs="*", type=Path, help="folders to compare with: results of the same bursts, such as of --mode best")
    parser.add_argument("-o", "--output", metavar="FOLDER", type=Path, help="where to make the page (default OUT/report)")


def folders_of(args: argparse.Namespace) -> list[Path]:
    """Return the folders of results. Raises SettingsError for one that is missing."""
    folders = [args.out, *args.others]
    for folder in folders:
        if not folder.is_dir():
            raise SettingsError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
    return folders


def run(args: argparse.Namespace) -> int:
    """Run the command; return the exit status, 1 if a burst cannot be shown."""
    folders = folders_of(args)
    from burstsr.html_report.site import build

    with Bars(1, show=not args.json, title="page") as bars:
        built = build(folders, args.output, lambda done, total: bars.stage("bursts", "page", done, total))
    if args.json:
        echo_json({"index": str(built.index), "bursts": built.bursts, "failures": built.failures, "problems": [list(p) for p in built.problems]})
    else:
        echo(f"{built.index}: {built.bursts} burst{'' if built.bursts == 1 else 's'}")
    for name, problem in built.problems:
        warn(f"{name}: not shown: {problem}")
    return int(bool(built.problems))
