"""`python -m benchmarks.batch_speed`: bursts an hour with one process, two processes, and dask clusters of one and two workers.

Copies of one burst of 1 megapixel x 8 frames are processed, mode `fast`, x2. The rate is that between the first results and the last: what a long night has.
Starting up, and compiling, are not in it; the whole time is given too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SIDE, FRAMES = 1000, 8
WAYS = ("jobs 1", "jobs 2", "cluster 1", "cluster 2")


class Speed(NamedTuple):
    """Seconds of the whole run, and per burst once it runs."""

    whole_s: float
    burst_s: float


def write_bursts(folder: Path, count: int, side: int) -> None:
    """Write `count` bursts of `side` x `side` raw pixels, all of one scene."""
    from burstsr.io.dng import write_cfa_dng
    from burstsr.simulate import SimulateSettings, simulate_burst

    rng = np.random.default_rng(0)
    y, x = np.mgrid[: 2 * side, : 2 * side].astype(np.float32)
    waves = sum(np.sin(a * y + b * x + c) for a, b, c in rng.uniform(-0.7, 0.7, (10, 3)))
    grey = np.clip(110 + 20 * waves + 40 * ((x // 37 + y // 29) % 2), 3, 250)
    image = (grey[..., None] * np.array([0.9, 1.0, 0.8], np.float32)).astype(np.uint8)
    burst = simulate_burst(image, SimulateSettings(frames=FRAMES, iso=200), rng).burst
    first = folder / "burst_000"
    first.mkdir(parents=True)
    for number, frame in enumerate(burst):
        write_cfa_dng(first / f"frame_{number}.dng", frame)
    for number in range(1, count):
        shutil.copytree(first, folder / f"burst_{number:03d}")


@contextmanager
def scheduler(workers: int) -> Iterator[list[str]]:
    """Start a cluster of processes; yield options for it. The cores are shared between its workers."""
    distributed: Any = import_module("distributed")
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"
    with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield ["--scheduler", cluster.scheduler_address, "--threads", str(max(1, (os.cpu_count() or 1) // workers))]


def measured(inputs: Path, out: Path, options: list[str], parallel: int) -> Speed:
    """Process all bursts; raise CalledProcessError where that fails."""
    begun = time.time()
    line = [sys.executable, "-m", "burstsr", "process", str(inputs), "-o", str(out), "--overwrite", *options]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    ends = sorted(path.stat().st_mtime for path in out.glob("*.json"))
    return Speed(time.time() - begun, (ends[-1] - ends[parallel - 1]) / (len(ends) - parallel))


def main() -> int:
    """Measure every way, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch_speed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bursts", type=int, default=12, metavar="N", help="default 12")
    parser.add_argument("--side", type=int, default=SIDE, metavar="PX", help=f"of frames (default {SIDE})")
    parser.add_argument("--way", action="append", choices=WAYS, default=[], help="only these; repeatable")
    args = parser.parse_args()
    os.environ["BURSTSR_PROFILES"] = os.devnull
    found: dict[str, Speed] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_bursts(folder / "in", args.bursts, args.side)
        subprocess.run([sys.executable, "-m", "burstsr", "warmup"], check=True, stdout=subprocess.DEVNULL)
        sys.stdout.write(f"{args.bursts} bursts of {args.side} x {args.side} x {FRAMES}\n{'':10} {'whole':>8} {'a burst':>8} {'an hour':>8}\n")
        for way in args.way or WAYS:
            kind, count = way.split()
            if kind == "jobs":
                speed = measured(folder / "in", folder / way, ["--jobs", count], int(count))
            else:
                with scheduler(int(count)) as options:
                    speed = measured(folder / "in", folder / way, options, int(count))
            found[way] = speed
            sys.stdout.write(f"{way:10} {speed.whole_s:6.1f} s {speed.burst_s:6.2f} s {3600 / speed.burst_s:8.0f}\n")
            sys.stdout.flush()
    for plain, dask in (("jobs 1", "cluster 1"), ("jobs 2", "cluster 2")):
        if plain in found and dask in found:
            sys.stdout.write(f"{dask} against {plain}: {found[dask].burst_s / found[plain].burst_s - 1:+.1%} time a burst\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
