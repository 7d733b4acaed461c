"""How many cores are used, and loops spread over them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
_CHUNKS_PER_THREAD = 4
# read by libraries when they are loaded, which is later: OpenCV; OpenMP (LibRaw, PyTorch); what NumPy and SciPy multiply matrices with
_VARIABLES = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_pool: ThreadPoolExecutor | None = None
_threads = 0
_worker = threading.local()  # in the pool's threads it has `busy`
_lock = threading.Lock()


def set_threads(threads: int) -> None:
    """Use `threads` cores from now on; 0 = all that this process may use."""
    global _pool, _threads
    with _lock:
        if _pool is not None:
            _pool.shutdown(wait=False)  # what it was given, it finishes
        _pool, _threads = None, threads


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Within it loops and libraries use that many cores, and then as many as before; None or 0: nothing changes."""
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
    """Cores in use."""
    if _threads:
        return _threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def over_rows(loop: Callable[..., Any], rows: int, *arguments: object, multiple: int = 1) -> None:
    """Call `loop(first, last, *arguments)` for row ranges that cover 0 .. rows, on all cores. Ranges start at whole multiples of `multiple`.

    Within such a loop, or a call of `in_parallel`, it goes on in that one's thread: all are at work.
    """
    chunk = max(1, -(-rows // (thread_count() * _CHUNKS_PER_THREAD * multiple))) * multiple
    for _ in in_parallel(lambda start: loop(start, min(start + chunk, rows), *arguments), range(0, rows, chunk)):
        pass


def in_parallel(call: Callable[[_T], _R], items: Sequence[_T]) -> Iterator[_R]:
    """Yield `call(item)` for each item, in order, computed on all cores. Within another such call it goes on in that one's thread: pools never nest."""
    if thread_count() == 1 or len(items) == 1 or hasattr(_worker, "busy"):
        yield from map(call, items)
        return
    pool = _shared_pool()
    futures = [pool.submit(call, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    except BaseException:  # an interrupt too: what has not begun need not be computed
        for future in futures:
            future.cancel()
        raise


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(thread_count(), "burstsr", setattr, (_worker, "busy", True))
        return _pool
