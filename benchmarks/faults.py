"""`python -m benchmarks.faults`: runs that are killed at random moments, or whose disk is full, whose input vanishes or is half copied.

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
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.wrong_files import write_files

BURSTS = 2
KINDS = ("killed", "interrupted", "disk full", "input vanishes", "input half copied")
_LIMIT = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2); from burstsr.cli import main; sys.exit(main())"


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


def problem(out: Path, inputs: Path, whole: dict[str, bytes]) -> str:
    """Return what is wrong after a disturbed run, and after its repetition; '' where nothing is."""
    broken = [name for name, data in (state(out) if out.exists() else {}).items() if data != whole.get(name)]
    if broken:
        return f"broken under a final name: {', '.join(broken)}"
    again = subprocess.run(command(inputs, out), capture_output=True, text=True, check=False)
    if again.returncode:
        return f"the repetition ends with {again.returncode}: {again.stderr.strip()[-300:]}"
    if state(out) != whole:
        return "the repetition gives other results"
    return f"left: {', '.join(left(out))}" if left(out) else ""


def _remove_declared(out: Path) -> None:
    """Remove results whose records say that a frame is missing: they are whole, and redone on demand."""
    for record in out.glob("*.json") if out.exists() else ():
        if json.loads(record.read_text()).get("damaged_frames"):
            for path in out.glob(f"{record.stem}.*"):
                path.unlink()


def _disturbed(kind: str, inputs: Path, out: Path, delay_s: float, rng: np.random.Generator) -> Callable[[], None]:
    """Run with a fault; return what mends its cause."""
    if kind == "disk full":
        subprocess.run(command(inputs, out, int(rng.integers(1, 40_000))), capture_output=True, check=False)
        return lambda: None
    process = subprocess.Popen(command(inputs, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay_s)
    if kind in ("killed", "interrupted"):
        process.send_signal(signal.SIGKILL if kind == "killed" else signal.SIGINT)
        process.wait()
        return lambda: None
    frame = sorted(inputs.rglob("*.dng"))[int(rng.integers(3 * BURSTS))]
    data = frame.read_bytes()
    if kind == "input vanishes":
        frame.unlink()
    else:
        frame.write_bytes(data[: len(data) // 2])
    process.wait()

    def mend() -> None:
        frame.write_bytes(data)

    return mend


def main() -> int:
    """Try every fault and print a table; return 1 where anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tries", type=int, default=10, metavar="N", help="of each kind (default 10)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS, default=[], help="only these; repeatable")
    args = parser.parse_args()
    os.environ["BURSTSR_PROFILES"] = os.devnull
    rng, lost = np.random.default_rng(args.seed), 0
    with tempfile.TemporaryDirectory() as place:
        files, inputs, out = (Path(place) / name for name in ("files", "in", "out"))
        files.mkdir()
        write_files(files)
        for number in range(BURSTS):
            shutil.copytree(files / "burst", inputs / f"b{number}", ignore=shutil.ignore_patterns("truth*"))
        subprocess.run(command(inputs, out), capture_output=True, check=True)
        start = time.perf_counter()
        subprocess.run([*command(inputs, out), "--overwrite"], capture_output=True, check=True)
        takes_s = time.perf_counter() - start
        shutil.rmtree(out)
        subprocess.run(command(inputs, out), capture_output=True, check=True)
        whole = state(out)
        sys.stdout.write(f"{'fault':18} {'tried':>6} {'survived':>9} {'lost':>6}\n")
        for kind in args.kind or KINDS:
            failed = 0
            for _ in range(args.tries):
                shutil.rmtree(out)
                mend = _disturbed(kind, inputs, out, float(rng.uniform(0.3, 1.0)) * takes_s, rng)
                _remove_declared(out)
                mend()
                wrong = problem(out, inputs, whole)
                failed += bool(wrong)
                if wrong:
                    sys.stdout.write(f"{kind}: {wrong}\n")
            sys.stdout.write(f"{kind:18} {args.tries:6} {args.tries - failed:9} {failed:6}\n")
            sys.stdout.flush()
            lost += failed
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
