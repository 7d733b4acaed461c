"""`python -m benchmarks.soak`: hundreds of small bursts in one process, some of them damaged: memory must not grow, none be lost, every bad one named."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from burstsr.core.errors import BurstsrError

SHAPE, FRAMES, SCENES = (64, 80), 4, 6
FIRST = 50  # bursts after which memory must not grow
MOST_GROWTH = 0.05


def write_bursts(folder: Path, count: int, share: float, seed: int) -> set[str]:
    """Write bursts into sub-folders; return the names of the bad ones: in half of them all frames are cut short, in the others one."""
    from burstsr.io.dng import write_cfa_dng
    from burstsr.simulate import SimulateSettings, simulate_burst

    rng = np.random.default_rng(seed)
    for scene in range(SCENES):
        y, x = np.mgrid[: 2 * SHAPE[0], : 2 * SHAPE[1]]
        waves = sum(np.sin(rng.uniform(-0.5, 0.5) * y + rng.uniform(-0.5, 0.5) * x + rng.uniform(0, 6)) for _ in range(6))
        image = (np.clip(110 + 25 * waves, 5, 250)[..., None] * np.array([0.9, 1.0, 0.8])).astype(np.uint8)
        (folder / "scenes" / str(scene)).mkdir(parents=True)
        for number, frame in enumerate(simulate_burst(image, SimulateSettings(frames=FRAMES, iso=400), np.random.default_rng(scene)).burst):
            write_cfa_dng(folder / "scenes" / str(scene) / f"frame_{number}.dng", frame)
    bad = {f"burst_{n:04d}" for n in rng.choice(count, round(share * count), replace=False)}
    for number in range(count):
        place = folder / "in" / f"burst_{number:04d}"
        shutil.copytree(folder / "scenes" / str(number % SCENES), place)
        if place.name in bad:
            for file in sorted(place.glob("*.dng"))[:: 1 if number % 2 else FRAMES]:
                file.write_bytes(file.read_bytes()[: int(rng.integers(10, file.stat().st_size - 500))])
    return bad


def resident_bytes() -> int:
    """Return the memory that this process holds now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def processed(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Process all bursts; yield the name of each, what became of it ("done", or what is wrong) and the memory after it."""
    from burstsr.batch.executors import work
    from burstsr.batch.job import ALWAYS
    from burstsr.batch.plan import Request, plan
    from burstsr.cli.progress import Bars
    from burstsr.io.discover import discover
    from burstsr.settings import Settings

    found = discover([folder / "in"])
    for problem in found.problems:
        name = problem.path.relative_to(folder / "in").parts[0]
        yield name, f"{problem.path}: {problem.reason}", resident_bytes()
    jobs, known = plan(found.bursts, [Settings()] * len(found.bursts), Request(folder / "out", ALWAYS))
    for outcome in known:
        yield outcome.name, outcome.reason, resident_bytes()
    for outcome in work(jobs, Bars(len(jobs), show=False)):
        yield outcome.name, outcome.reason if outcome.status == "failed" else "; ".join(outcome.damaged) or "done", resident_bytes()


def main() -> int:
    """Run and print what was found; return 1 where memory grew, or a burst was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bursts", type=int, default=500, metavar="N", help="default 500")
    parser.add_argument("--corrupt", type=float, default=0.03, metavar="SHARE", help="of the bursts (default 0.03)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ["BURSTSR_PROFILES"] = os.devnull
    with tempfile.TemporaryDirectory() as place:
        folder, begun = Path(place), time.monotonic()
        bad = write_bursts(folder, args.bursts, args.corrupt, args.seed)
        named: set[str] = set()
        memory = []
        try:
            for name, what, resident in processed(folder):
                memory.append(resident)
                if what != "done":
                    named.add(name)
                if len(memory) % FIRST == 0:
                    _echo(f"{len(memory):5} bursts, {resident / 1e6:6.0f} MB, {time.monotonic() - begun:5.0f} s")
        except BurstsrError as error:
            _echo(f"stopped: {error}")
        whole = {path.stem for path in (folder / "out").glob("*.json") if path.with_suffix(".dng").is_file() and path.with_suffix(".jpg").is_file()}
    good = {f"burst_{n:04d}" for n in range(args.bursts)} - bad
    first, last = (float(np.median(part or [0])) for part in (memory[FIRST - 10 : FIRST + 10], memory[-20:]))
    growth = last / first - 1 if first else 0.0
    _echo(
        f"good: {len(good)}, done {len(good & whole)}, lost {len(good - whole)}; bad: {len(bad)}, named {len(bad & named)}; good ones named {len(good & named)}"
    )
    _echo(f"memory after the first {FIRST}: {first / 1e6:.0f} MB, at the end {last / 1e6:.0f} MB: {growth:+.1%}")
    return int(bool(good - whole) or bad != named or growth > MOST_GROWTH)


def _echo(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
