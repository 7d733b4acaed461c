"""`burstsr benchmark pipeline`: time and memory of every stage, from DNGs to DNG and preview, and their growth with pixels and with frames.

Every run is a separate process (`pipeline_run`), warmed up by a small burst. Bursts are simulated once, in a temporary folder: about 1.5 bytes of disk per
raw pixel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import benchmarks
from burstsr.cli.console import table
from burstsr.core.errors import BurstsrError, SettingsError
from burstsr.core.fields import check_range
from burstsr.settings import Settings

Shape = tuple[int, int]
COUNT_SHAPE = (1500, 2000)  # (H, W) of the frames over whose number growth is measured
SIZES_FRAMES = 13  # frames of the bursts over whose size growth is measured
_BACKGROUND = "Frames are decoded, and the DNG is written, in the background: that counts where something waits for it."
_WARM_SHAPE, _WARM_FRAMES = (128, 160), 3
Progress = Callable[[str, int, int], None]


class RunFailed(BurstsrError):
    """A measured process failed."""


@dataclass(frozen=True)
class Plan:
    """What to run. shape: (H, W) of a frame, even. sizes, counts: of the growth; empty = not measured.

    count_shape: (H, W) at which counts are run. size_frames: frames with which sizes are run.
    """

    shape: Shape = (3000, 4000)
    frames: int = 13
    scale: float = 2.0
    mode: Literal["fast", "best"] = "fast"
    sizes: tuple[Shape, ...] = ()
    counts: tuple[int, ...] = ()
    count_shape: Shape = COUNT_SHAPE
    size_frames: int = SIZES_FRAMES

    def __post_init__(self) -> None:
        Settings(scale=self.scale, mode=self.mode)  # which knows what is allowed
        for frames in (self.frames, *self.counts):
            check_range("frames", frames, 1, 1000)
        for height, width in (self.shape, *self.sizes):
            if min(height, width) < 64 or height % 2 or width % 2:
                raise SettingsError(f"size {width}x{height}: both sides must be even, and at least 64")

    @property
    def bursts(self) -> tuple[tuple[Shape, int], ...]:
        """Return (shape, frames) of every run, each once, the main one first."""
        growth = [(shape, self.size_frames) for shape in self.sizes] + [(self.count_shape, count) for count in self.counts]
        return tuple(dict.fromkeys([(self.shape, self.frames), *growth]))


@dataclass(frozen=True)
class Cost:
    """One run. seconds, peak_bytes: per stage, in order. before_bytes: that the warm process held before it read the burst. total_seconds: of all of it,
    what no stage counts included.
    """

    shape: Shape
    frames: int
    seconds: dict[str, float]
    peak_bytes: dict[str, int]
    before_bytes: int
    total_seconds: float

    @property
    def megapixels(self) -> float:
        """Return the megapixels of a frame."""
        return self.shape[0] * self.shape[1] / 1e6

    @property
    def peak(self) -> int:
        """Return the maximum resident memory in bytes."""
        return max(self.peak_bytes.values())


@dataclass(frozen=True)
class PipelineCost:
    """The result. costs: by (shape, frames)."""

    plan: Plan
    costs: dict[tuple[Shape, int], Cost]

    @property
    def main(self) -> Cost:
        """Return the cost at the plan's own size and number of frames."""
        return self.costs[self.plan.shape, self.plan.frames]

    def growth(self) -> Iterator[tuple[str, list[float], list[Cost]]]:
        """Return what grew ("megapixels" or "frames"), its values, and the runs."""
        if self.plan.sizes:
            over_sizes = [self.costs[shape, self.plan.size_frames] for shape in self.plan.sizes]
            yield "megapixels", [cost.megapixels for cost in over_sizes], over_sizes
        if self.plan.counts:
            yield "frames", [float(count) for count in self.plan.counts], [self.costs[self.plan.count_shape, count] for count in self.plan.counts]


def measure(plan: Plan, progress: Progress = lambda stage, done, total: None) -> PipelineCost:
    """Simulate, run, collect. Raises RunFailed where a process failed."""
    needed: dict[Shape, int] = {}
    for shape, frames in plan.bursts:
        needed[shape] = max(frames, needed.get(shape, 0))
    steps = len(needed) + len(plan.bursts)
    with tempfile.TemporaryDirectory(prefix="burstsr-benchmark-") as folder:
        warm = _in_a_process(do="make", folder=str(Path(folder) / "warm"), shape=_WARM_SHAPE, frames=_WARM_FRAMES)["frames"]
        made: dict[Shape, list[str]] = {}
        costs: dict[tuple[Shape, int], Cost] = {}
        for shape, frames in needed.items():
            progress(f"simulate {_named(shape, frames)}", len(made), steps)
            made[shape] = _in_a_process(do="make", folder=str(Path(folder) / f"{shape[1]}x{shape[0]}"), shape=shape, frames=frames)["frames"]
        for shape, frames in plan.bursts:
            progress(f"run {_named(shape, frames)}", len(made) + len(costs), steps)
            found = _in_a_process(do="run", frames=made[shape][:frames], warm=warm, scale=plan.scale, mode=plan.mode)
            costs[shape, frames] = Cost(shape=shape, frames=frames, **found)
    return PipelineCost(plan, costs)


def _named(shape: Shape, frames: int) -> str:
    return f"{frames} x {shape[0] * shape[1] / 1e6:.3g} MP"


def _in_a_process(**arguments: object) -> dict[str, Any]:
    root = str(Path(str(benchmarks.__file__)).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "benchmarks.pipeline_run", json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it was killed, most likely for want of memory"])[-1]
        raise RunFailed(f"{arguments['do']} in a process of its own: status {done.returncode}: {why}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def exponent(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Fit p of y = c x^p by least squares of logarithms; None for fewer than two x, or values without logarithm."""
    if len(set(x)) < 2 or min(*x, *y) <= 0:
        return None
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def exponents(x: Sequence[float], costs: Sequence[Cost]) -> dict[str, float | None]:
    """Return exponents of total time, of the memory beyond that of the warm process, and of every stage's time."""
    stages = {f"seconds, {name}": exponent(x, [cost.seconds.get(name, 0.0) for cost in costs]) for name in costs[-1].seconds}
    return {"seconds": exponent(x, [c.total_seconds for c in costs]), "memory": exponent(x, [float(c.peak - c.before_bytes) for c in costs]), **stages}


def as_json(result: PipelineCost) -> dict[str, Any]:
    """Return the result as one JSON object."""
    plan = result.plan
    growth = {name: {"runs": [_cost_json(cost) for cost in costs], "exponents": exponents(x, costs)} for name, x, costs in result.growth()}
    return {"benchmark": "pipeline", "scale": plan.scale, "mode": plan.mode, "note": _BACKGROUND, **_cost_json(result.main), "growth": growth}


def _cost_json(cost: Cost) -> dict[str, Any]:
    stages = {name: {"seconds": seconds, "peak_bytes": cost.peak_bytes[name]} for name, seconds in cost.seconds.items()}
    arguments = {"shape": list(cost.shape), "frames": cost.frames, "total_seconds": cost.total_seconds}
    return {**arguments, "peak_bytes": cost.peak, "before_bytes": cost.before_bytes, "stages": stages}


def as_text(result: PipelineCost) -> str:
    """Format the result."""
    plan, main = result.plan, result.main
    head = ["stage", "seconds", "share", "peak, MB"]
    rows = [[n, f"{s:.2f}", f"{100 * s / main.total_seconds:.0f} %", f"{main.peak_bytes[n] / 1e6:.0f}"] for n, s in main.seconds.items()]
    rows.append(["all", f"{main.total_seconds:.2f}", "", f"{main.peak / 1e6:.0f}"])
    title = f"{main.frames} frames of {main.shape[1]} x {main.shape[0]} at x{plan.scale:g}, {plan.mode}; before: {main.before_bytes / 1e6:.0f} MB"
    parts = [f"{title}\n\n{table(head, rows, right=head[1:])}\n\n{_BACKGROUND}"]
    for name, x, costs in result.growth():
        head = [name, "frames" if name == "megapixels" else "megapixels", "seconds", "peak, MB"]
        other = [f"{c.frames}" if name == "megapixels" else f"{c.megapixels:.3g}" for c in costs]
        rows = [[f"{v:.3g}", o, f"{c.total_seconds:.2f}", f"{c.peak / 1e6:.0f}"] for v, o, c in zip(x, other, costs, strict=True)]
        found = "\n".join(f"{what} ~ {name}^{p:.2f}" for what, p in exponents(x, costs).items() if p is not None)
        parts.append(f"{table(head, rows, right=head)}\n\n{found}")
    return "\n\n".join(parts)
