"""What the sections of `burstsr benchmark quality` that have a table of their own share, and how all of them are written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from burstsr.cli.console import echo, echo_json
from burstsr.cli.progress import Bars
from burstsr.core.errors import SettingsError

_Case = TypeVar("_Case")


def is_asked_for(args: argparse.Namespace, section: str) -> bool:
    """Whether a section with a table of its own is asked for. Raises SettingsError where others are, too."""
    if section not in args.sections:
        return False
    if args.sections != (section,):
        raise SettingsError(f"--sections {section} has a table of its own: it cannot be combined with other sections")
    return True


def check_options(section: str, given: dict[str, object], reason: str) -> None:
    """Raise SettingsError where options that a section does not take are given; given: their values by name, false where they are not."""
    names = [f"--{name}" for name, value in given.items() if value]
    if names:
        raise SettingsError(f"--sections {section} takes no {', '.join(names)}: {reason}")


def measure_cases(
    cases: Sequence[_Case], name_of: Callable[[_Case], str], measure: Callable[[_Case], list[dict[str, Any]]], show: bool
) -> list[dict[str, Any]]:
    """Return the records of all cases, and show progress."""
    records: list[dict[str, Any]] = []
    with Bars(len(cases), show=show) as bars:
        for case in cases:
            name = name_of(case)
            bars.stage(name, "measure", 0, 1)
            records += measure(case)
            bars.finished(name)
    return records


def write(args: argparse.Namespace, name: str, found: dict[str, Any], text: str, shown: str | None = None) -> int:
    """Write name.json and name.md to the output folder, which exists, and print the JSON object, or `shown`, by default the text; return the exit status."""
    from burstsr.io.atomic import atomic

    for suffix, content in ((".json", json.dumps(found, indent=1, allow_nan=False) + "\n"), (".md", text)):
        with atomic(args.output / f"{name}{suffix}") as temporary:
            temporary.write_text(content, encoding="utf-8")
    if args.json:
        echo_json(found)
    else:
        echo(text if shown is None else shown)
    return 0
