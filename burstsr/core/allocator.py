"""The C library's allocator, where its settings cost time."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt(3)
_LARGEST_REUSED = 32 << 20  # bytes: what glibc itself comes to, and its upper limit
_KEPT = 256 << 20  # freed bytes that the process keeps


@cache
def reuse_freed_memory() -> bool:
    """Let glibc reuse freed blocks of up to 32 MB, as it learns to do by itself unless told otherwise; return whether it was told otherwise, and now does.

    dask starts its workers with MALLOC_TRIM_THRESHOLD_ set: every array of more than 128 kB is then new memory, which the system has to clear first.
    Bursts took half as long again. A threshold of MALLOC_MMAP_THRESHOLD_ is left as it is.
    """
    if sys.platform != "linux" or "MALLOC_TRIM_THRESHOLD_" not in os.environ or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGEST_REUSED)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
