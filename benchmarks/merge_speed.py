"""`burstsr benchmark merge`: the product's merge against a naive loop, against drizzle, and against what the machine can do at best.

Before anything is timed the three must agree: the product with the naive loop at the size to be timed, and both with `burstsr.merge.naive` on a small,
ragged one. All times are of compiled, warm code and from raw values to image and weight, allocation included. `merge_work` says how operations and
bytes are counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from benchmarks import drizzle_speed, roofline
from benchmarks.merge_case import MergeCase, made_case, merged, merged_by_paper, merged_naively, same, set_naive_threads, undecided
from benchmarks.merge_work import OPERATIONS, Work, work_of
from burstsr.cli.console import table
from burstsr.core.errors import SettingsError
from burstsr.core.fields import check_range
from burstsr.core.jit import set_threads, thread_count

PRODUCT, NAIVE = "burstsr", "naive loop"
_RAGGED = (70, 90)  # (H, W) of the small check: no whole number of tiles
_SLOW_RUNS = 3  # of what is there to be compared with
_DRIZZLE_FRAMES = 2
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to time. shape: (H, W), even. threads: most of them; 1 is timed too. runs: of the product, and at most 3 of the others."""

    shape: tuple[int, int] = (3000, 4000)
    frames: int = 13
    scale: float = 2.0
    threads: int = 0
    runs: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("frames", 1, 1000), ("scale", 1, 4), ("threads", 0, thread_count()), ("runs", 1, 1000), ("seed", 0, 2**32)):
            check_range(name, getattr(self, name), low, high)
        if min(self.shape) < 16 or any(length % 2 for length in self.shape):
            raise SettingsError(f"--size {self.shape[1]}x{self.shape[0]}: both sides must be even, and at least 16")

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Return 1, and the requested number of threads, by default all."""
        return tuple(sorted({1, self.threads or thread_count()}))


@dataclass(frozen=True)
class Timing:
    """Repeated runs of one method. ns: nanoseconds per output pixel and frame, of the fastest run. gflops, gbytes: 1e9 a second, of the fastest run,
    of the work that the formula is; None where a method computes another formula. frames: that were timed; seconds are of all frames of the plan.
    """

    method: str
    threads: int
    frames: int
    runs: int
    seconds_min: float
    seconds_median: float
    ns: float
    ns_median: float
    gflops: float | None
    gbytes: float | None
    share: float | None = None  # of the roofline


@dataclass(frozen=True)
class Agreement:
    """Largest differences: of images of 0 .. 1, and of weights over 1 + weight. left_out: share of pixels at which rounding decides."""

    what: str
    image: float
    weight: float
    left_out: float


@dataclass(frozen=True)
class MergeSpeed:
    """Result of the benchmark."""

    plan: Plan
    work: Work
    agreements: tuple[Agreement, ...]
    rooflines: tuple[roofline.Roofline, ...]
    timings: tuple[Timing, ...]
    notes: tuple[str, ...]


def measure(plan: Plan, progress: Progress = lambda stage, done, total: None) -> MergeSpeed:
    """Check, then time. Raises MergeMismatch where the product's merge is wrong."""
    before = thread_count()
    try:
        return _measure(plan, progress)
    finally:
        set_threads(before)


def _measure(plan: Plan, progress: Progress) -> MergeSpeed:
    steps = 2 + 3 * len(plan.thread_counts) + len(drizzle_speed.KERNELS)
    stages = iter(range(steps))
    progress("check", next(stages), steps)
    set_threads(plan.thread_counts[-1])
    set_naive_threads(plan.thread_counts[-1])
    agreements = list(_small_agreements(plan))
    case = made_case(plan.shape, plan.frames, plan.scale, plan.seed)
    progress("check", next(stages), steps)
    agreements.append(_agreement(case))
    work = work_of(case)
    rooflines, timings = [], []
    for threads in plan.thread_counts:
        progress(f"roofline, threads: {threads}", next(stages), steps)
        rooflines.append(roofline.measure(threads))
        set_threads(threads)
        set_naive_threads(threads)
        for method, merge, runs in ((PRODUCT, merged, plan.runs), (NAIVE, merged_naively, min(plan.runs, _SLOW_RUNS))):
            progress(f"{method}, threads: {threads}", next(stages), steps)
            timings.append(_timing(method, threads, plan.frames, _times(merge, case, runs), work, rooflines[-1]))
    notes = []
    if find_spec("drizzle") is None:
        notes.append("drizzle is left out: package drizzle is not installed (pip install 'burstsr[benchmark]')")
    else:
        frames = min(plan.frames, _DRIZZLE_FRAMES)
        for kernel in drizzle_speed.KERNELS:
            progress(f"drizzle, {kernel}", next(stages), steps)
            times = [plan.frames * t for t in drizzle_speed.seconds(case, kernel, frames, min(plan.runs, _SLOW_RUNS))]
            timings.append(_timing(f"drizzle, {kernel}", 1, frames, times, work, None))
    return MergeSpeed(plan, work, tuple(agreements), tuple(rooflines), tuple(timings), tuple(notes))


def _small_agreements(plan: Plan) -> list[Agreement]:
    """Product and naive loop against the paper's letters, at the plan's scale and on a ragged size."""
    case = made_case(_RAGGED, min(plan.frames, 3), plan.scale, plan.seed)
    expected, ties = merged_by_paper(case), undecided(case)
    found = []
    for name, merge in ((PRODUCT, merged), (NAIVE, merged_naively)):
        what = f"{name} against burstsr/merge/naive.py, {case.name}"
        found.append(Agreement(what, *same(merge(case), expected, ties, what), float(ties.mean())))
    return found


def _agreement(case: MergeCase) -> Agreement:
    """The product against the naive loop at full size; which also warms both."""
    what, ties = f"{PRODUCT} against the {NAIVE}, {case.name}", undecided(case)
    return Agreement(what, *same(merged(case), merged_naively(case), ties, what), float(ties.mean()))


def _times(merge: Callable[[MergeCase], object], case: MergeCase, runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        result = merge(case)
        times.append(time.perf_counter() - start)
        del result  # before the next run asks for as much memory
    return times


def _timing(method: str, threads: int, frames: int, times: Sequence[float], work: Work, best: roofline.Roofline | None) -> Timing:
    low, middle = min(times), statistics.median(times)
    ns = (1e9 * low / work.pixels, 1e9 * middle / work.pixels)
    if best is None:
        return Timing(method, threads, frames, len(times), low, middle, *ns, None, None)
    flops = work.operations / low
    return Timing(method, threads, frames, len(times), low, middle, *ns, flops / 1e9, work.bytes / low / 1e9, flops / best.attainable(work.intensity))


def of_method(result: MergeSpeed, method: str) -> dict[int, Timing]:
    """Return timings of a method by number of threads."""
    return {timing.threads: timing for timing in result.timings if timing.method == method}


def ratios(result: MergeSpeed) -> dict[str, float]:
    """Return the speed-up of the product's fastest run over each other method, at the same number of threads; and over itself with one thread."""
    product = of_method(result, PRODUCT)
    found = {}
    for timing in result.timings:
        if timing.method != PRODUCT:
            found[f"{timing.method}, threads: {timing.threads}"] = timing.ns / product[timing.threads].ns
    most = max(product)
    if most > 1:
        found[f"one thread, against {most}"] = product[1].ns / product[most].ns
    return found


def as_json(result: MergeSpeed) -> dict[str, Any]:
    """Return the result as one JSON object."""
    plan = result.plan
    setup = {"shape": list(plan.shape), "frames": plan.frames, "scale": plan.scale, "seed": plan.seed}
    work = {"operations_per_pixel_and_frame": OPERATIONS, "operations": result.work.operations, "bytes": result.work.bytes}
    rooflines = [
        {"threads": r.threads, "peak_gflops": r.flops / 1e9, "copy_gbytes": r.bytes / 1e9, "attainable_gflops": r.attainable(result.work.intensity) / 1e9}
        for r in result.rooflines
    ]
    return {
        "benchmark": "merge",
        **setup,
        "work": {**work, "intensity": result.work.intensity},
        "agreements": [asdict(agreement) for agreement in result.agreements],
        "rooflines": rooflines,
        "timings": [asdict(timing) for timing in result.timings],
        "times_as_fast": ratios(result),
        "notes": list(result.notes),
    }


def as_text(result: MergeSpeed) -> str:
    """Format the result."""
    plan, work = result.plan, result.work
    head = ["method", "threads", "runs", "min, s", "median, s", "ns per pixel and frame", "median", "GFLOP/s", "GB/s", "of roofline"]
    rows = []
    for t in result.timings:
        rates = ["", "", ""] if t.share is None else [f"{t.gflops:.1f}", f"{t.gbytes:.2f}", f"{100 * t.share:.1f} %"]
        rows.append([t.method, str(t.threads), str(t.runs), f"{t.seconds_min:.3f}", f"{t.seconds_median:.3f}", f"{t.ns:.2f}", f"{t.ns_median:.2f}", *rates])
    intensity = work.intensity
    lines = [f"merge of {plan.frames} frames of {plan.shape[1]} x {plan.shape[0]} at x{plan.scale:g}; first, equal:"]
    lines += [f"  {a.what}: picture within {a.image:.1e}, weight within {a.weight:.1e}, {100 * a.left_out:.1f} % ties left out" for a in result.agreements]
    lines += ["", table(head, rows, right=head[1:]), ""]
    for r in result.rooflines:
        lines.append(
            f"roofline, threads: {r.threads}: peak {r.flops / 1e9:.1f} GFLOP/s, copy {r.bytes / 1e9:.1f} GB/s; at {OPERATIONS} operations per pixel and frame "
            f"and {intensity:.1f} per byte attainable {r.attainable(intensity) / 1e9:.1f} GFLOP/s = {OPERATIONS / r.attainable(intensity) * 1e9:.2f} ns"
        )
    lines += [f"{PRODUCT} is {ratio:.2f} times as fast as {name}" for name, ratio in ratios(result).items()]
    return "\n".join([*lines, *result.notes])
