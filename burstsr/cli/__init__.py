"""The command line: argv to settings to pipeline to files. One module per command; heavy imports wait until a command runs.

Exit status: 0 all done, 1 some bursts or files failed (each named, the others finished), 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from burstsr import __version__
from burstsr.cli import benchmark, calibrate, compare, demo, inspect, process, simulate, single, train
from burstsr.cli.common import add_common, limited_threads
from burstsr.cli.interrupts import INTERRUPTED
from burstsr.cli.screen import complain, log_to_stderr
from burstsr.ground.errors import BurstsrError, SettingsError

FAILED, USAGE = 1, 2
_COMMANDS = (process, single, simulate, train, inspect, compare, calibrate, benchmark, demo)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line. Each command's `run` stands in the namespace's `run`."""
    parser = argparse.ArgumentParser(
        prog="burstsr",
        description="A hand-held burst of raw frames in, one picture with more resolution and less noise out.",
        epilog="exit status: 0 all done, 1 some bursts or files failed (each is named, the others are finished), 2 wrong usage, "
        "130 interrupted (Ctrl-C: what was finished is kept; a second Ctrl-C ends at once)",
    )
    parser.add_argument("--version", action="version", version=f"burstsr {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in _COMMANDS:
        sub = command.add_parser(commands)
        add_common(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the program's own) and return its exit status."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return USAGE
    log_to_stderr(args.verbose)
    try:
        with limited_threads(args.threads):
            return int(args.run(args))
    except SettingsError as error:
        complain(str(error))
        return USAGE
    except BurstsrError as error:
        complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted; what was finished before is whole, a re-run goes on from there")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
