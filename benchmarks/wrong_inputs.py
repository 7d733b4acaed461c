"""`python -m benchmarks.wrong_inputs`: invalid inputs of every command: all must be rejected with the reason, without a traceback, a signal or a hang.

Creates its files in a temporary folder. The command lines run one after another in a separate process, which is monitored: where it dies or takes
too long, that is the outcome, and another one continues.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks import wrong_commands, wrong_process
from benchmarks.replaceable_process import ReplaceableProcess
from benchmarks.wrong_case import Case
from benchmarks.wrong_files import write_files

_LONGEST_S = 120.0
_WRITTEN = ("out", "simulated", "trained", "measured")  # folders of results, which would be skipped as done
REFUSED = "refused"
OUTCOMES = (REFUSED, "no reason", "accepted", "unexpected", "traceback", "signal", "hang")


def cases() -> list[Case]:
    """Return all command lines."""
    return wrong_process.cases() + wrong_commands.cases()


class Answer(NamedTuple):
    """Output of a command line."""

    status: int
    out: str
    err: str


def run_here(argv: tuple[str, ...]) -> Answer:
    """Run a command line in this process."""
    from burstsr.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(argv)
        except SystemExit as leave:
            status = int(leave.code or 0)
        except BaseException as error:  # what the user would see as a traceback
            status = 1
            err.write(f"Traceback: {type(error).__name__}: {error}")
    return Answer(status, out.getvalue(), err.getvalue())


def judge(case: Case, answer: Answer) -> str:
    """Return one of OUTCOMES."""
    if "Traceback" in answer.err:
        return "traceback"
    if "unexpected " in answer.err or "Warning: " in answer.err:
        return "unexpected"
    if answer.status == 0:
        return "accepted"
    return REFUSED if case.message in answer.err else "no reason"


def _outcome(runner: ReplaceableProcess, case: Case) -> tuple[str, str]:
    """Return one of OUTCOMES, and the standard error."""
    runner.connection.send(case.argv)
    try:
        if runner.connection.poll(_LONGEST_S):
            answer = Answer(*runner.connection.recv())
            return judge(case, answer), answer.err
        runner.replace_hanging()
        return "hang", f"more than {_LONGEST_S:g} s"
    except (EOFError, ConnectionError):
        return "signal", f"exit status {runner.replace_ended()}"


def _serve(connection: Connection, folder: Path) -> None:
    os.chdir(folder)
    while True:
        for place in _WRITTEN:
            shutil.rmtree(place, ignore_errors=True)
        connection.send(tuple(run_here(connection.recv())))


def main() -> int:
    """Run all cases and print a table by command; return 1 unless all are rejected with the reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrong_inputs", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--command", help="only this command's")
    parser.add_argument("-v", "--verbose", action="store_true", help="every case with its message and seconds")
    args = parser.parse_args()
    chosen = [case for case in cases() if args.command in (None, case.argv[0])]
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as place:
        os.environ["BURSTSR_PROFILES"] = str(Path(place) / "profiles")
        folder = Path(place) / "files"
        folder.mkdir()
        write_files(folder)
        runner = ReplaceableProcess(_serve, folder)
        for case in chosen:
            start = time.perf_counter()
            outcome, message = _outcome(runner, case)
            counts.setdefault(case.argv[0], Counter())[outcome] += 1
            if args.verbose or outcome != REFUSED:
                shown = " ".join(word if len(word) < 40 else f"{word[:40]}..." for word in case.argv)
                _echo(f"{outcome}: {shown} [{time.perf_counter() - start:.1f} s]\n    {message.strip()[-400:]}")
        runner.close()
    _echo(f"{'command':10} {'cases':>6} " + " ".join(f"{name:>10}" for name in OUTCOMES))
    for command, found in counts.items():
        _echo(f"{command or '(none)':10} {found.total():6} " + " ".join(f"{found[name]:10}" for name in OUTCOMES))
    total = sum(counts.values(), Counter())
    _echo(f"{'all':10} {total.total():6} " + " ".join(f"{total[name]:10}" for name in OUTCOMES))
    return int(total[REFUSED] != total.total())


def _echo(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
