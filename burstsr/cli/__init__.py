"""Command line: parse, call, print. One module per command; heavy imports wait until a command runs.

Exit status: 0 success, 1 some bursts or files failed (each named, the others finished), 2 usage error, 130 interrupted. With --json an error that ends
the command is an object {"error": ..., "exit_status": ...} on standard output.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from burstsr.cli import benchmark, calibrate, compare, demo, inspect, process, report, serve, settings, simulate, single, train, warmup, watch
from burstsr.cli.common import add_common
from burstsr.cli.console import echo_json, log_to_stderr, warn
from burstsr.cli.options import Parser, UsageError, named
from burstsr.core.errors import INTERRUPTED, BurstsrError, RangeError, SettingsError
from burstsr.core.parallel import limited_threads

log = logging.getLogger(__name__)
FAILED, USAGE = 1, 2
_COMMANDS = (process, watch, single, simulate, train, inspect, compare, report, serve, calibrate, benchmark, settings, warmup, demo)


class _Version(argparse.Action):
    """As argparse's own, but for looking the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from burstsr import __version__

        print(f"burstsr {__version__}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; the namespace's `run` is the function of the chosen command."""
    parser = Parser(
        prog="burstsr",
        description="Merge a hand-held burst of raw frames into one image with more resolution and less noise.",
        epilog="exit status: 0 success, 1 some bursts or files failed (each is named, the others are finished), 2 usage error, "
        "130 interrupted (Ctrl-C: finished results are kept; a second Ctrl-C exits at once)",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in _COMMANDS:
        sub = command.add_parser(commands)
        add_common(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the program's own) and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    empty = _empty_argument(arguments)
    if empty:
        return _failed(empty, USAGE, json="--json" in arguments)
    try:
        args = parser.parse_args(arguments)
    except UsageError as error:
        print(error.usage, end="", file=sys.stderr)
        return _failed(str(error), USAGE, json="--json" in arguments)
    if args.command is None:
        parser.print_help()
        return USAGE
    log_to_stderr(args.verbose)
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    """Run a command; turn any exception into a message and an exit status."""
    try:
        with limited_threads(args.threads):
            return int(args.run(args))
    except RangeError as error:
        return _failed(named(error, args), USAGE, json=args.json)
    except SettingsError as error:
        return _failed(str(error), USAGE, json=args.json)
    except BurstsrError as error:
        return _failed(str(error), FAILED, json=args.json)
    except KeyboardInterrupt:
        return _failed("interrupted; finished results are complete, and a re-run continues from there", INTERRUPTED, json=args.json)
    except BrokenPipeError:  # the reader of standard output has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except MemoryError:
        return _failed("not enough memory", FAILED, json=args.json)
    except OSError as error:
        log.info("%s", args.command, exc_info=True)
        place = f"{error.filename}: " if error.filename is not None else ""
        return _failed(f"{place}{error.strerror or error}", FAILED, json=args.json)
    except Exception as error:  # a bug: -v shows the traceback
        log.info("%s", args.command, exc_info=True)
        return _failed(f"unexpected {type(error).__name__}: {error} (-v shows the traceback)", FAILED, json=args.json)


def _failed(message: str, status: int, *, json: bool) -> int:
    """Report why a command failed, and return its exit status."""
    warn(message)
    if json:
        echo_json({"error": message, "exit_status": status})
    return status


def _empty_argument(arguments: Sequence[str]) -> str:
    """Return an error for an empty argument, such as a script's unset variable, or ''. As a path it would mean the current folder."""
    for before, argument in pairwise(["", *arguments]):
        if not argument:
            return f"an empty argument{f' after {before}' if before else ''}: a value is required"
        if argument.startswith("--") and argument.endswith("="):
            return f"{argument} is empty: a value is required"
    return ""
