"""Memory of arrays that are mapped from files: its pages are given back after use, so that memory does not grow with the arrays."""

from __future__ import annotations

import mmap
import threading
from weakref import WeakSet

ROWS = 64  # of an image, after which loops give back its pages
_maps: WeakSet[mmap.mmap] = WeakSet()
_lock = threading.Lock()


def watch(mapped: mmap.mmap) -> None:
    """Let `release` give back the pages of a shared map, as long as it exists."""
    with _lock:
        _maps.add(mapped)


def there_are() -> bool:
    """Whether there are such maps."""
    return len(_maps) > 0


def release() -> None:
    """Give back the pages of all maps; what is used again is read again, what was written stays in the file. Nothing without maps."""
    if not _maps or not hasattr(mmap, "MADV_DONTNEED"):
        return
    with _lock:
        maps = list(_maps)
    for one in maps:
        one.madvise(mmap.MADV_DONTNEED)
