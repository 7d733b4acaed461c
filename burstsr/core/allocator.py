"""Settings of the C library's allocator that cost time."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of mallopt(3)
_LARGEST_REUSED = 32 << 20  # bytes: the upper limit of glibc's own dynamic threshold
_KEPT = 256 << 20  # freed bytes that the process keeps


@cache
def reuse_freed_memory() -> bool:
    """Let glibc reuse freed blocks of up to 32 MB where the environment disabled its dynamic threshold; return whether settings were changed.

    dask starts its workers with MALLOC_TRIM_THRESHOLD_ set: every array of more than 128 kB is then newly mapped memory, which the system has to clear
    first, and bursts took 1.5 times as long. A threshold of MALLOC_MMAP_THRESHOLD_ is left as it is.
    """
    if sys.platform != "linux" or "MALLOC_TRIM_THRESHOLD_" not in os.environ or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, _LARGEST_REUSED)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT))
