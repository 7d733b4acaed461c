"""How a burst scales with cores: of each stage, the processor time of what runs on all cores and of what does not, and the speed-up that Amdahl's law allows.

`python -m benchmarks.scaling [--mode best] [--height H --width W] [--frames N]`. What would run on the pool's threads runs one after another on the calling
thread, and its processor time is counted, so that the figures hold on a busy machine too. OpenCV's and BLAS's own threads count as one: what they do is serial
here. Nor are memory bandwidth and files in it: measure `burstsr benchmark pipeline` for these.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from burstsr.cli.console import echo, table
from burstsr.core import parallel

CORES = (2, 8, 16, 64)
_LEAST_S = 0.05  # of the stages shown


def speed_up(serial: float, shared: float, cores: int) -> float:
    """Return by how much `cores` cores are faster than one (Amdahl 1967); serial, shared: time of what runs on one, and on all cores.

    >>> speed_up(1.0, 9.0, 2), speed_up(0.0, 1.0, 8)
    (1.8181818181818181, 8.0)
    """
    return (serial + shared) / (serial + shared / cores)


@dataclass
class Meter:
    """A pool whose work is done at once, on the calling thread, and the stages of a record by processor time."""

    shared: float = 0.0
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0]))
    _at: tuple[float, float] = (0.0, 0.0)

    def submit(self, call: Callable[[Any], Any], item: object) -> Future[Any]:
        """Do the work now."""
        future: Future[Any] = Future()
        start = time.thread_time()
        parallel._worker.busy = True  # as on the pool's threads
        try:
            future.set_result(call(item))
        finally:
            del parallel._worker.busy
            self.shared += time.thread_time() - start
        return future

    def begin(self) -> None:
        """Begin a part of a stage."""
        self._at = time.thread_time(), self.shared

    def end(self, name: str) -> None:
        """Count the part that ends."""
        shared = self.shared - self._at[1]
        self.stages[name][0] += time.thread_time() - self._at[0] - shared
        self.stages[name][1] += shared


def measure(shape: tuple[int, int], frames: int, mode: str, scale: float = 2.0) -> dict[str, list[float]]:
    """Return [serial, shared] seconds of processor time by stage, of a simulated burst of frames of `shape`."""
    from burstsr import Settings, SimulateSettings, report, simulate_burst, super_resolve
    from burstsr.cli.demo import _bundled_image
    from burstsr.io.images import read_image

    picture = read_image(Path(_bundled_image())).rgb
    height, width = (round(scale * n) for n in shape)
    tiled = np.pad(picture, ((0, max(height - picture.shape[0], 0)), (0, max(width - picture.shape[1], 0)), (0, 0)), mode="symmetric")[:height, :width]
    settings, meter = Settings(mode=mode, scale=scale, reference=0), Meter()  # type: ignore[arg-type]
    made, small = (
        simulate_burst(image, SimulateSettings(frames=n, iso=400.0, scale=scale), np.random.default_rng(0)) for image, n in ((tiled, frames), (picture, 4))
    )
    parallel.set_threads(2)
    super_resolve(small.burst, settings)  # compiles
    begin, count, pool = report.Record._begin, report.Record._count, parallel._shared_pool

    def counted(record: report.Record, name: str) -> None:
        meter.end(name)
        count(record, name)

    def begun(record: report.Record) -> None:
        begin(record)
        meter.begin()

    report.Record._begin, report.Record._count, parallel._shared_pool = begun, counted, lambda: meter  # type: ignore[method-assign, assignment, return-value]
    try:
        meter.begin()
        super_resolve(made.burst, settings)
    finally:
        report.Record._begin, report.Record._count, parallel._shared_pool = begin, count, pool  # type: ignore[method-assign]
    return dict(meter.stages)


def rows(stages: dict[str, list[float]]) -> list[tuple[str, ...]]:
    """Return the table: stage, seconds on one core, share of what is serial, and speed-ups on `CORES`."""
    everything = [sum(values[i] for values in stages.values()) for i in range(2)]
    shown = [*((name, values) for name, values in stages.items() if sum(values) >= _LEAST_S), ("all", everything)]
    return [(name, f"{a + b:.2f}", f"{100 * a / (a + b):.1f} %", *(f"{speed_up(a, b, n):.2f}" for n in CORES)) for name, (a, b) in shown]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="Serial and shared processor time of each stage, and Amdahl's law.")
    parser.add_argument("--mode", choices=("fast", "best"), default="best")
    parser.add_argument("--height", type=int, default=800, help="of a frame, raw pixels (default 800)")
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--frames", type=int, default=7)
    args = parser.parse_args(arguments)
    stages = measure((args.height, args.width), args.frames, args.mode)
    head = ("stage", "one core, s", "serial", *(f"{n} cores" for n in CORES))
    echo(table(head, rows(stages), right=head[1:]))
    return 0


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = "1"
    sys.exit(main())
