"""Number of CPU cores in use, and parallel execution of loops."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from burstsr.core import mapped_pages

_T = TypeVar("_T")
_R = TypeVar("_R")
_CHUNKS_PER_THREAD = 4
# read by libraries that are loaded later: OpenCV; OpenMP (LibRaw, PyTorch); BLAS of NumPy and SciPy
_VARIABLES = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_pool: ThreadPoolExecutor | None = None
_threads = 0
_worker = threading.local()  # threads of the pool have the attribute `busy`
_lock = threading.Lock()


def set_threads(threads: int) -> None:
    """Use `threads` cores from now on; 0 = all available to this process."""
    global _pool, _threads
    with _lock:
        if _pool is not None:
            _pool.shutdown(wait=False)  # submitted work is finished
        _pool, _threads = None, threads


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limit loops and libraries to that many cores within the context, then restore; None or 0: no change."""
    if not threads:
        yield
        return
    outer, opencv = _threads, sys.modules.get("cv2")
    opencv_threads = opencv.getNumThreads() if opencv else 0
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    set_threads(threads)
    if opencv:  # it has read its variable already
        opencv.setNumThreads(threads)
    try:
        yield
    finally:
        set_threads(outer)
        if opencv:
            opencv.setNumThreads(opencv_threads)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def thread_count() -> int:
    """Return the number of cores in use."""
    if _threads:
        return _threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_rows(loop: Callable[..., Any], rows: int, *arguments: object, multiple: int = 1) -> None:
    """Call `loop(first, last, *arguments)` for row ranges that cover 0 .. rows, on all cores. Ranges start at multiples of `multiple`.

    Inside such a loop, or a call of `in_parallel`, it runs in the calling thread: all cores are busy.
    """
    chunk = max(1, -(-rows // (thread_count() * _CHUNKS_PER_THREAD * multiple))) * multiple
    if mapped_pages.there_are():  # whose pages are given back after every chunk
        chunk = min(chunk, max(1, mapped_pages.ROWS // multiple) * multiple)
    for _ in in_parallel(lambda start: loop(start, min(start + chunk, rows), *arguments), range(0, rows, chunk)):
        pass


def in_parallel(call: Callable[[_T], _R], items: Sequence[_T]) -> Iterator[_R]:
    """Yield `call(item)` for each item, in order, computed on all cores. Inside another such call it runs in the calling thread: pools never nest."""
    if mapped_pages.there_are():
        call = _releasing(call)
    if thread_count() == 1 or len(items) == 1 or hasattr(_worker, "busy"):
        yield from map(call, items)
        return
    pool = _shared_pool()
    futures = deque(pool.submit(call, item) for item in items)
    try:
        while futures:
            yield futures.popleft().result()  # not kept: results may be large
    except BaseException:  # also for interrupts: pending work is cancelled
        for future in futures:
            future.cancel()
        raise


def _releasing(call: Callable[[_T], _R]) -> Callable[[_T], _R]:
    """Return a function that gives back the pages of large arrays after every call."""

    def released(item: _T) -> _R:
        result = call(item)
        mapped_pages.release()
        return result

    return released


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(thread_count(), "burstsr", setattr, (_worker, "busy", True))
        return _pool
