"""`python -m benchmarks.faults`: runs that are killed at random moments, lose a worker, memory or disk space, or their input.

After each, no broken file may be under a final name; a repeated run must complete, equal the undisturbed one byte for byte (timings in the record
apart), and leave nothing temporary.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.wrong_files import write_files

BURSTS = 4
_LIMIT = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2); from burstsr.cli import main; sys.exit(main())"

_HOG = """
import sys
import burstsr.pipeline
from burstsr.cli import main
compute, hog = burstsr.pipeline.super_resolve, sys.argv.pop(1)
def super_resolve(burst, *args, **kwargs):
    if burst.name == hog:
        bytearray(1 << 60)
    return compute(burst, *args, **kwargs)
burstsr.pipeline.super_resolve = super_resolve
sys.exit(main())
"""


def command(inputs: Path, out: Path, largest: int | None = None) -> list[str]:
    """Return a command line. largest: bytes of a file, beyond which writing fails as on a full disk."""
    begin = ["-m", "burstsr"] if largest is None else ["-c", _LIMIT, str(largest)]
    return [sys.executable, *begin, "process", str(inputs), "-o", str(out), "--scale", "1"]


def state(out: Path) -> dict[str, bytes]:
    """Return the files of results by name, records without timings and without digests of files that have them."""
    found = {}
    for path in sorted(out.glob("*")):
        if path.is_file():
            found[path.name] = _without_times(path) if path.suffix == ".json" else path.read_bytes()
    return found


def _without_times(path: Path) -> bytes:
    record = json.loads(path.read_text())
    record.pop("seconds", None)
    return json.dumps(record, sort_keys=True).encode()


def left(out: Path) -> list[str]:
    """Return the names of temporary files."""
    return [str(path.relative_to(out)) for path in out.rglob("*") if any(part.startswith(".") for part in path.relative_to(out).parts)]


def _remove_declared(out: Path) -> None:
    """Remove results whose records say that a frame is missing: they are whole, and redone on demand."""
    for record in out.glob("*.json") if out.exists() else ():
        if json.loads(record.read_text()).get("damaged_frames"):
            for path in out.glob(f"{record.stem}.*"):
                path.unlink()


class Place:
    """Inputs and outputs of the runs. whole: results of an undisturbed one. takes_s: how long that took."""

    def __init__(self, folder: Path) -> None:
        files, self.inputs, self.out = (folder / name for name in ("files", "in", "out"))
        files.mkdir()
        write_files(files)
        for number in range(BURSTS):
            shutil.copytree(files / "burst", self.inputs / f"b{number}", ignore=shutil.ignore_patterns("truth*"))
        subprocess.run(command(self.inputs, self.out), capture_output=True, check=True)
        self.whole = state(self.out)
        start = time.perf_counter()
        subprocess.run([*command(self.inputs, self.out), "--overwrite"], capture_output=True, check=True)
        self.takes_s = time.perf_counter() - start

    def problem(self) -> str:
        """Return what is wrong after a disturbed run, and after its repetition; '' where nothing is."""
        return self.broken() or self.repeated()

    def broken(self) -> str:
        """Return which files are not as in an undisturbed run, or ''."""
        names = [name for name, data in (state(self.out) if self.out.exists() else {}).items() if data != self.whole.get(name)]
        return f"broken under a final name: {', '.join(names)}" if names else ""

    def repeated(self) -> str:
        """Return what is wrong after the repetition, or ''."""
        again = subprocess.run(command(self.inputs, self.out), capture_output=True, text=True, check=False)
        if again.returncode:
            return f"the repetition ends with {again.returncode}: {again.stderr.strip()[-300:]}"
        if state(self.out) != self.whole:
            return "the repetition gives other results"
        return f"left: {', '.join(left(self.out))}" if left(self.out) else ""


def _stopped(place: Place, rng: np.random.Generator, tries: int, number: int) -> Iterator[str]:
    """Kill or interrupt runs at random moments, each going on where the last was stopped; yield what is wrong after each. A finished one begins anew."""
    for stop in range(tries):
        process = subprocess.Popen(command(place.inputs, place.out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(float(rng.uniform(0.3, 1.05)) * place.takes_s)
        ended = process.poll() is not None
        process.send_signal(number)
        process.wait()
        wrong = place.broken()
        if len(list(place.out.glob("*.json"))) == BURSTS or ended or stop == tries - 1:
            wrong = wrong or place.repeated()
            shutil.rmtree(place.out)
        yield wrong


def _worker_killed(place: Place, rng: np.random.Generator, tries: int) -> Iterator[str]:
    """Kill one of two worker processes; the run must go on, and do all bursts."""
    for _ in range(tries):
        shutil.rmtree(place.out, ignore_errors=True)
        process = subprocess.Popen([*command(place.inputs, place.out), "--jobs", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(float(rng.uniform(0.5, 1.0)) * place.takes_s)
        workers = _children(process.pid)
        if workers:
            with suppress(OSError):
                os.kill(int(rng.choice(workers)), signal.SIGKILL)
        said = process.communicate()[1]
        yield (f"the run ends with {process.returncode}: {said[-300:]}" if process.returncode else "") or place.problem()


def _children(parent: int) -> list[int]:
    """Return the worker processes of a run; none where the system does not say."""
    try:
        found = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    except OSError:
        return []


def _disk_full(place: Place, rng: np.random.Generator, tries: int) -> Iterator[str]:
    """Fill the disk: a small file system in memory where one may be mounted, else a limit of the size of files."""
    for _ in range(tries):
        shutil.rmtree(place.out, ignore_errors=True)
        place.out.mkdir()
        size = int(rng.integers(60, 260)) << 10
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place.out)], capture_output=True, check=False).returncode == 0
        run = subprocess.run(command(place.inputs, place.out, None if mounted else size // 6), capture_output=True, text=True, check=False)
        wrong = "" if run.returncode else "it does not fail"
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=200m", str(place.out)], check=True)
        yield place.problem() or wrong
        if mounted:
            subprocess.run(["umount", str(place.out)], check=True)


def _out_of_memory(place: Place, rng: np.random.Generator, tries: int) -> Iterator[str]:
    """Let one burst ask for more memory than there is; the others must be done, and it named."""
    for _ in range(tries):
        shutil.rmtree(place.out, ignore_errors=True)
        name = f"b{rng.integers(BURSTS)}"
        run = subprocess.run([sys.executable, "-c", _HOG, name, *command(place.inputs, place.out)[3:]], capture_output=True, text=True, check=False)
        done = len(list(place.out.glob("*.json")))
        fine = run.returncode == 1 and f"{name}: FAILED: not enough memory" in run.stderr and done == BURSTS - 1
        yield ("" if fine else f"{done} done, status {run.returncode}: {run.stderr[-300:]}") or place.problem()


def _input(place: Place, rng: np.random.Generator, tries: int, *, vanishes: bool) -> Iterator[str]:
    """Take a frame away, or half of it, while a run is at work; put it back."""
    for _ in range(tries):
        shutil.rmtree(place.out, ignore_errors=True)
        process = subprocess.Popen(command(place.inputs, place.out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(float(rng.uniform(0.3, 1.0)) * place.takes_s)
        frames = sorted(place.inputs.rglob("*.dng"))
        frame = frames[int(rng.integers(len(frames)))]
        data, state_before = frame.read_bytes(), frame.stat()
        if vanishes:
            frame.unlink()
        else:
            frame.write_bytes(data[: len(data) // 2])
        process.wait()
        _remove_declared(place.out)
        frame.write_bytes(data)
        os.utime(frame, ns=(state_before.st_atime_ns, state_before.st_mtime_ns))
        yield place.problem()


KINDS: dict[str, Callable[[Place, np.random.Generator, int], Iterator[str]]] = {
    "killed": partial(_stopped, number=signal.SIGKILL),
    "interrupted": partial(_stopped, number=signal.SIGINT),
    "worker killed": _worker_killed,
    "out of memory": _out_of_memory,
    "disk full": _disk_full,
    "input vanishes": partial(_input, vanishes=True),
    "input half copied": partial(_input, vanishes=False),
}


def main() -> int:
    """Try every fault and print a table; return 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="runs killed (default 50)")
    parser.add_argument("--tries", type=int, default=10, metavar="N", help="of each other kind (default 10)")
    parser.add_argument("--seconds", type=float, default=float("inf"), metavar="S", help="go on to the next kind after that long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), default=[], help="only these; repeatable")
    args = parser.parse_args()
    os.environ["BURSTSR_PROFILES"] = os.devnull
    rng, lost = np.random.default_rng(args.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        _echo(f"{'fault':18} {'tried':>6} {'survived':>9} {'lost':>6}")
        for kind in args.kind or KINDS:
            tries, tried, failed, begun = args.kills if kind == "killed" else args.tries, 0, 0, time.monotonic()
            for wrong in KINDS[kind](place, rng, tries):
                tried, failed = tried + 1, failed + bool(wrong)
                if wrong:
                    _echo(f"{kind}: {wrong}")
                if time.monotonic() - begun > args.seconds:
                    break
            _echo(f"{kind:18} {tried:6} {tried - failed:9} {failed:6}")
            lost += failed
    return int(lost > 0)


def _echo(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
