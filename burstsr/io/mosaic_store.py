"""Storage of a burst's mosaics: the first in memory, the rest in a temporary file without a name."""

from __future__ import annotations

import logging
import math
import mmap
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from burstsr.core.temporary_file import temporary_file, usual_folders

log = logging.getLogger(__name__)
MEMORY_BYTES = 400_000_000  # memory for the mosaics of a burst
_MAPPED_SHARE = 4  # one in this many parts of it is for memory-mapped mosaics

Mosaic = NDArray[np.uint16]


class MosaicStore:
    """Mosaics of a burst of `frames`, thread-safe; each can be loaded any number of times.

    A loaded mosaic is an ordinary C-order array, memory-mapped where it is in the file: its pages are loaded and evicted on use, so that memory
    does not grow with the number of frames. beside: folder for the file where the system's temporary folder is not on a disk, or is full.
    The file has no name, or is deleted with its last user, whatever happens.
    """

    def __init__(self, frames: int, beside: Path) -> None:
        self._frames = frames
        self._beside = beside
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._full = False
        self._end = 0
        self._more = 0  # bytes in memory of derived mosaics
        self._mapped: OrderedDict[int, mmap.mmap] = OrderedDict()  # by file offset, most recently used last

    def put(self, mosaic: Mosaic, index: int | None = None) -> Callable[[], Mosaic]:
        """Store the mosaic of frame `index`, from 0, or one derived from it; return a function that loads it."""
        if not (self._has_memory_for_more(mosaic.nbytes) if index is None else self._has_memory_for(index, mosaic.nbytes)):
            place = self._written(mosaic)
            if place is not None:
                shape = mosaic.shape
                return lambda: self._view(place, shape)
        return lambda: mosaic

    def _has_memory_for(self, index: int, size: int) -> bool:
        """Whether the frames of `size` bytes all fit, or this one's position is before what is reserved for maps."""
        return self._frames * size <= MEMORY_BYTES or (index + 1) * size <= MEMORY_BYTES - MEMORY_BYTES // _MAPPED_SHARE

    def _has_memory_for_more(self, size: int) -> bool:
        with self._lock:
            room = self._frames * size + self._more + size <= MEMORY_BYTES
            self._more += size * room
            return room

    def _written(self, mosaic: Mosaic) -> int | None:
        """Write the mosaic to the file and return its offset; None without space."""
        with self._lock:
            if self._file is None and not self._full:
                self._file = temporary_file(self._frames * mosaic.nbytes, usual_folders(self._beside), "raw frames")
                self._full = self._file is None
                if self._file is not None:
                    weakref.finalize(self, self._file.close)
            if self._file is None or self._full:
                return None
            place = math.ceil(self._end / mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            try:
                self._file.seek(place)
                self._file.write(np.ascontiguousarray(mosaic).view(np.uint8).data)
                self._file.flush()
            except OSError as error:
                log.warning("no space left for temporary files (%s): the other frames stay in memory", error.strerror or error)
                self._full = True
                return None
            self._end = place + mosaic.nbytes
            return place

    def _view(self, place: int, shape: tuple[int, ...]) -> Mosaic:
        """Map the mosaic at `place`; the least recently used maps release their pages."""
        length = math.prod(shape) * 2
        with self._lock:
            assert self._file is not None
            # private maps are writable, like arrays in memory: loops would be compiled again for read-only arrays
            mapped = self._mapped.pop(place, None) or mmap.mmap(self._file.fileno(), length, access=mmap.ACCESS_COPY, offset=place)
            self._mapped[place] = mapped
            while len(self._mapped) > 2 and len(self._mapped) * length > MEMORY_BYTES // _MAPPED_SHARE:
                _, unused = self._mapped.popitem(last=False)
                if hasattr(unused, "madvise"):
                    unused.madvise(mmap.MADV_DONTNEED)  # remaining users read the file again
        return np.frombuffer(mapped, np.uint16).reshape(shape)
