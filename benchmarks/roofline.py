"""Peak performance of the machine, measured: independent single-precision FMAs, and copies of large arrays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.jit import compiled, over_rows, set_threads

Floats = NDArray[np.float32]
_CHAINS, _ELEMENTS, _STEPS = 4, 256, 16  # independent chains a pass, each over so many elements, in the first-level cache; FMAs one after another
_FMAS = 400e6  # a thread and run: some hundredths of a second
_COPY_FLOATS = 1 << 26  # a copy reads and writes 256 MiB: beyond every cache
_ROWS_PER_THREAD = 4


@dataclass(frozen=True)
class Roofline:
    """flops: peak operations per second, an FMA counts two. bytes: per second that a copy reads and writes together, without write-allocation."""

    threads: int
    flops: float
    bytes: float

    def attainable(self, intensity: float) -> float:
        """Return the attainable operations per second at `intensity` operations per byte: min(peak, bandwidth x intensity)."""
        return min(self.flops, self.bytes * intensity)


def measure(threads: int, runs: int = 5) -> Roofline:
    """Return the best of several runs with `threads` threads of the pool of the product's loops."""
    set_threads(threads)
    rows = threads * _ROWS_PER_THREAD
    x = np.ones((rows, _CHAINS, _ELEMENTS), np.float32)
    rounds = round(_FMAS / (_ROWS_PER_THREAD * _CHAINS * _ELEMENTS * _STEPS))
    factor, summand = np.float32(0.999), np.float32(0.001)
    over_rows(fma_chains, rows, x, factor, summand, 1)
    seconds = _best(lambda: over_rows(fma_chains, rows, x, factor, summand, rounds), runs)
    flops = 2.0 * x.size * _STEPS * rounds / seconds
    source = np.ones((_ROWS_PER_THREAD * threads, _COPY_FLOATS // (_ROWS_PER_THREAD * threads)), np.float32)
    target = np.zeros_like(source)
    over_rows(copy, rows, source, target)
    seconds = _best(lambda: over_rows(copy, rows, source, target), runs)
    return Roofline(threads, flops, 2.0 * source.nbytes / seconds)


@compiled
def fma_chains(first: int, last: int, x: Floats, a: np.float32, b: np.float32, rounds: int) -> None:
    """x <- a x + b, 16 times a round. LLVM vectorises along the elements and keeps several vectors of four chains under way at once."""
    for row in range(first, last):
        for _ in range(rounds):
            for k in range(x.shape[2]):
                p, q, r, s = x[row, 0, k], x[row, 1, k], x[row, 2, k], x[row, 3, k]
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                p, q, r, s = p * a + b, q * a + b, r * a + b, s * a + b
                x[row, 0, k], x[row, 1, k], x[row, 2, k], x[row, 3, k] = p, q, r, s


@compiled
def copy(first: int, last: int, source: Floats, target: Floats) -> None:
    """Copy source to target."""
    for row in range(first, last):
        for k in range(source.shape[1]):
            target[row, k] = source[row, k]


def _best(call: Callable[[], None], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
