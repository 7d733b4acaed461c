"""Options that every command has."""

from __future__ import annotations

import argparse
from contextlib import suppress

MOST_THREADS = 1024


def add_common(parser: argparse.ArgumentParser, *, inner: bool = False) -> None:
    """Add -v, --json and --threads to a command. inner: to a sub-command, so that they are accepted before and after its name."""
    nothing = argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="count", default=nothing if inner else 0, help="verbose logging to stderr (-vv: debug)")
    parser.add_argument("--json", action="store_true", default=nothing if inner else False, help="print one JSON object instead of text")
    with suppress(argparse.ArgumentError):  # commands that define their own --threads keep it
        parser.add_argument("--threads", type=_threads, default=nothing if inner else None, metavar="N", help="number of CPU threads (default: all cores)")


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be between 1 and {MOST_THREADS}")
    return int(text)
