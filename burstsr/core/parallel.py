"""How many cores are used, and loops spread over them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

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
    """Within it loops and libraries use that many cores; None or 0: all."""
    if not threads:
        yield
        return
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    set_threads(threads)
    try:
        yield
    finally:
        set_threads(0)
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

    Within such a loop it goes on in the loop's own thread: all are at work.
    """
    global _pool
    threads = thread_count()
    chunk = max(1, -(-rows // (threads * _CHUNKS_PER_THREAD * multiple))) * multiple
    starts = range(0, rows, chunk)
    if threads == 1 or len(starts) == 1 or hasattr(_worker, "busy"):
        for start in starts:
            loop(start, min(start + chunk, rows), *arguments)
        return
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(threads, "burstsr", setattr, (_worker, "busy", True))
        pool = _pool
    futures = [pool.submit(loop, start, min(start + chunk, rows), *arguments) for start in starts]
    try:
        for future in futures:
            future.result()
    except BaseException:  # an interrupt too: what has not begun need not be computed
        for future in futures:
            future.cancel()
        raise
