"""`python -m benchmarks.fuzz`: mutated files through readers and commands: each must end in an image or a typed error, within 10 s and 2 GB.

Cases run in a separate process whose memory is limited, one after another; where one dies, or computes for longer, that is the outcome, and another
process continues. A case is determined by the seed and its number: `--seed 0 --first 123 --cases 1 --keep FOLDER` keeps its file.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks.fuzz_cases import KINDS, Case, case, write_sources
from benchmarks.replaceable_process import ReplaceableProcess

LONGEST_S, MEMORY_BYTES = 10.0, 2 * 2**30
_TABLE_EVERY = 1000
_WALL = 12  # times LONGEST_S of waiting, on a busy machine, before a case that computes little counts as hanging
IMAGE, REFUSED, MEMORY = "image", "refused", "no memory"
GOOD = (IMAGE, REFUSED, MEMORY)
OUTCOMES = (*GOOD, "nonsense", "unnamed", "traceback", "signal", "hang")


class Found(NamedTuple):
    """Outcome of a case, one of OUTCOMES, and what was said."""

    outcome: str
    text: str


def outcome_of(one: Case, file: Path) -> Found:
    """Run a case in this process."""
    from burstsr.core.errors import BurstsrError

    try:
        nonsense = one.run(file)
    except BurstsrError as error:
        return Found(REFUSED if one.file_name in str(error) else "unnamed", f"{type(error).__name__}: {error}")
    except MemoryError:
        return Found(MEMORY, traceback.format_exc(limit=-3))
    except Exception:
        return Found("traceback", traceback.format_exc())
    return Found("nonsense", nonsense) if nonsense else Found(IMAGE, "")


def _serve(connection: Connection, folder: Path) -> None:
    """Run the cases that arrive as numbers."""
    os.chdir(folder)
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it says of damaged files is expected
    _limit_memory()
    while True:
        seed, number, kinds = connection.recv()
        one = case(seed, number, folder, kinds)
        place = folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        file = place / one.file_name
        file.write_bytes(one.content)
        connection.send("begun")
        connection.send(tuple(outcome_of(one, file)))


def _limit_memory() -> None:
    """Let the process have MEMORY_BYTES beyond what it has after loading what it needs; not on Windows."""
    import burstsr.pipeline  # noqa: F401

    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_BYTES,) * 2)
    except (ImportError, OSError, ValueError):
        return


def _found(runner: ReplaceableProcess, seed: int, number: int, kinds: tuple[str, ...]) -> Found:
    """Return the outcome of a case."""
    runner.connection.send((seed, number, kinds))
    try:
        runner.connection.recv()
        before, begun = _cpu_s(runner.pid), time.monotonic()
        while not runner.connection.poll(0.5):
            if _cpu_s(runner.pid) - before > LONGEST_S or time.monotonic() - begun > LONGEST_S * _WALL:
                runner.replace_hanging()
                return Found("hang", f"more than {LONGEST_S:g} s")
        return Found(*runner.connection.recv())
    except (EOFError, ConnectionError):
        return Found("signal", f"exit status {runner.replace_ended()}")


def _cpu_s(process: int | None) -> float:
    """Return the seconds that a process has computed; of the clock where the system does not say."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return time.monotonic()


def main() -> int:
    """Run cases and print a table by kind; return 1 unless all end in an image or a typed error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, metavar="N", help="default 1000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first case (default 0)")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S", help="stop after that long")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), default=[], help="only these; repeatable")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where to keep files of cases that fail (with --cases 1: of that case)")
    parser.add_argument("-v", "--verbose", action="store_true", help="every case")
    args = parser.parse_args()
    kinds = tuple(args.kind) or tuple(sorted(KINDS))
    counts: dict[str, Counter[str]] = {}
    os.environ |= {"BURSTSR_PROFILES": os.devnull, "OPENCV_LOG_LEVEL": "OFF"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_sources(folder)
        runner = ReplaceableProcess(_serve, folder)
        begun = time.monotonic()
        for number in range(args.first, args.first + args.cases):
            if time.monotonic() - begun > args.seconds:
                break
            if number % _TABLE_EVERY == 0 and number > args.first:
                _table(counts)
            start = time.monotonic()
            found = _found(runner, args.seed, number, kinds)
            one = case(args.seed, number, folder, kinds)
            counts.setdefault(one.kind, Counter())[found.outcome] += 1
            if args.verbose or found.outcome not in GOOD:
                _echo(f"{found.outcome}: case {number} of seed {args.seed}, {one.kind} [{time.monotonic() - start:.1f} s]\n    {found.text.strip()[-1500:]}")
            if args.keep and (args.cases == 1 or found.outcome not in GOOD):
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{args.seed}_{number}_{one.file_name}").write_bytes(one.content)
        runner.close()
    _table(counts)
    total = sum(counts.values(), Counter())
    return int(any(total[name] for name in OUTCOMES if name not in GOOD))


def _table(counts: dict[str, Counter[str]]) -> None:
    _echo(f"{'kind':12} {'cases':>6} " + " ".join(f"{name:>9}" for name in OUTCOMES))
    for kind, found in (*sorted(counts.items()), ("all", sum(counts.values(), Counter()))):
        _echo(f"{kind:12} {found.total():6} " + " ".join(f"{found[name]:9}" for name in OUTCOMES))


def _echo(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
