"""Compilation of all loops before they are needed, in several processes: numba compiles one function at a time in a process.

Machine code goes into the cache, from where other processes load it. `warmup_parts` are what is compiled.
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Protocol

from burstsr.batch.warmup_parts import DONE, parts
from burstsr.core.jit_events import COMPILING
from burstsr.core.parallel import thread_count

_MODES = ("fast", "best")
_PACKAGE = Path(__file__).resolve().parents[1]


class Display(Protocol):
    """Progress display."""

    def stage(self, burst: str, stage: str, done: int, total: int) -> None:
        """Report progress."""


def compile_ahead(modes: Iterable[str], display: Display) -> None:
    """Compile what jobs of these modes need, on all cores, unless that has been done. Switched off by BURSTSR_WARMUP=0, and on a single core."""
    for mode in sorted(set(modes), reverse=True):
        if thread_count() > 1 and os.environ.get("BURSTSR_WARMUP") != "0" and not is_compiled(mode, tried=True):
            names = parts(mode)
            for done, _ in enumerate(compile_all(names, thread_count())):
                display.stage("burstsr", COMPILING, done + 1, len(names))


def compile_all(names: Sequence[str], processes: int) -> Iterator[tuple[str, float]]:
    """Compile parts in that many processes, each of which takes part after part; yield (name, seconds) of each as it is ready.

    NaN seconds: the part failed, and its loops are compiled where they are needed.
    """
    waiting, ready, failed = deque(names), Queue[tuple[str, float]](), False
    workers = [_Worker() for _ in range(min(processes, len(names)))]
    threads = [threading.Thread(target=worker.serve, args=(waiting, ready), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        for _ in names:
            name, seconds = ready.get()
            failed |= math.isnan(seconds)
            yield name, seconds
    finally:
        waiting.clear()
        for worker, thread in zip(workers, threads, strict=True):
            worker.end()
            thread.join()
    for mode in _MODES:
        if set(parts(mode)) <= set(names):
            _remember(mode, failed)


class _Worker:
    """A process that compiles parts, one after another, started again after one that ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock, self._ended = threading.Lock(), False

    def serve(self, waiting: deque[str], ready: Queue[tuple[str, float]]) -> None:
        """Compile parts until none waits."""
        with suppress(IndexError):
            while True:
                name, start, done = waiting.popleft(), time.perf_counter(), False
                with suppress(OSError):  # no process could be started
                    done = self._compile(name)
                ready.put((name, time.perf_counter() - start if done else math.nan))
        self._close()

    def end(self) -> None:
        """End the process, and start none."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def _compile(self, name: str) -> bool:
        with self._lock:
            if self._ended:
                return False
            process = self._process = self._process or _begun()
        if process.stdin is not None and process.stdout is not None:
            with suppress(OSError):
                process.stdin.write(f"{name}\n".encode())
                process.stdin.flush()
                if answer := process.stdout.readline().strip():
                    return answer == DONE
        self._close()
        return False

    def _close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError):
                process.communicate()


def _begun() -> subprocess.Popen[bytes]:
    """Start a process that compiles the parts whose names it reads."""
    path = os.pathsep.join(part for part in (str(_PACKAGE.parent), os.environ.get("PYTHONPATH")) if part)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "burstsr.batch.warmup_parts"],  # -P: of this package, not of a checkout in the current folder, whose cache is another
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def is_compiled(mode: str, tried: bool = False) -> bool:
    """Return whether `compile_all` has run for this mode with these sources, this numba and this processor; true where nothing can be kept.

    tried: also where a part failed, which then would only fail again.
    """
    marker = _marker(mode)
    with suppress(OSError):
        return marker is None or tried and marker.exists() or marker.read_text() == ""
    return False


def _remember(mode: str, failed: bool) -> None:
    """Note that all parts of `mode` have been compiled, or that some failed: both hold until the processor, numba or the sources change."""
    marker = _marker(mode)
    if marker is not None:
        with suppress(OSError):
            marker.write_text("failed" if failed else "")


def cache_folder() -> Path | None:
    """Return the folder of the machine code of the merge's loops, beside which that of the others lies; None where none can be written."""
    from burstsr.merge import loops

    kept = getattr(loops.accumulate, "_cache", None)
    return Path(kept.cache_path) if kept is not None else None


def _marker(mode: str) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / f"burstsr-{mode}-{_digest()}"


def _digest() -> str:
    """Identify what machine code depends on: the sources by time and size, as numba does, its version, and the processor."""
    import llvmlite.binding as llvm
    import numba

    facts = [numba.__version__, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    facts += [f"{p.name} {p.stat().st_mtime_ns} {p.stat().st_size}" for p in sorted(_PACKAGE.rglob("*loops.py"))]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
