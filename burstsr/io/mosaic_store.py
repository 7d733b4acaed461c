"""Where the mosaics of a burst are kept: the first in memory, and what exceeds it in a temporary file that nobody sees."""

from __future__ import annotations

import logging
import math
import mmap
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)
MEMORY_BYTES = 400_000_000  # that the mosaics of a burst may take
_MAPPED_SHARE = 4  # of it, one part in this many is for mosaics that are seen through the file
_RAM_FILE_SYSTEMS = ("tmpfs", "ramfs")
_MOUNTS = Path("/proc/self/mounts")
_SPARE = 1.05  # of the disk's room

Mosaic = NDArray[np.uint16]


class MosaicStore:
    """Mosaics of a burst of `frames`; any thread may put one on, and take it off as often as it likes.

    What is taken is an ordinary array, C order, of a memory map's pages where it lies in the file: those come and go as they are used, so that the
    memory taken does not grow with the number of frames. beside: folder that gets the file where the system's own for temporary files is no disk, or full.
    The file has no name, or goes with its last user: it is removed whatever happens.
    """

    def __init__(self, frames: int, beside: Path) -> None:
        self._frames = frames
        self._beside = beside
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None
        self._full = False
        self._end = 0
        self._more = 0  # bytes in memory of what was made of frames
        self._mapped: OrderedDict[int, mmap.mmap] = OrderedDict()  # by place in the file, the latest used last

    def put(self, mosaic: Mosaic, index: int | None = None) -> Callable[[], Mosaic]:
        """Keep the mosaic of frame `index`, from 0, or one that is made of a frame's; what gives it back."""
        if not (self._has_memory_for_more(mosaic.nbytes) if index is None else self._has_memory_for(index, mosaic.nbytes)):
            place = self._written(mosaic)
            if place is not None:
                shape = mosaic.shape
                return lambda: self._view(place, shape)
        return lambda: mosaic

    def _has_memory_for(self, index: int, size: int) -> bool:
        """Whether the frames of `size` bytes all fit, or this one's place is before what is left for maps."""
        return self._frames * size <= MEMORY_BYTES or (index + 1) * size <= MEMORY_BYTES - MEMORY_BYTES // _MAPPED_SHARE

    def _has_memory_for_more(self, size: int) -> bool:
        with self._lock:
            room = self._frames * size + self._more + size <= MEMORY_BYTES
            self._more += size * room
            return room

    def _written(self, mosaic: Mosaic) -> int | None:
        """Place of the mosaic in the file; None where there is no room."""
        with self._lock:
            if self._file is None and not self._full:
                self._file = _temporary_file(self._frames * mosaic.nbytes, (Path(tempfile.gettempdir()), Path("/var/tmp"), self._beside))
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
                log.warning("no more room for temporary files (%s): the other frames stay in memory", error.strerror or error)
                self._full = True
                return None
            self._end = place + mosaic.nbytes
            return place

    def _view(self, place: int, shape: tuple[int, ...]) -> Mosaic:
        """The mosaic at `place`; of others, the longest unused give their pages back."""
        length = math.prod(shape) * 2
        with self._lock:
            assert self._file is not None
            # a private map counts as writable, as arrays in memory are: loops would be compiled anew for what is not
            mapped = self._mapped.pop(place, None) or mmap.mmap(self._file.fileno(), length, access=mmap.ACCESS_COPY, offset=place)
            self._mapped[place] = mapped
            while len(self._mapped) > 2 and len(self._mapped) * length > MEMORY_BYTES // _MAPPED_SHARE:
                _, unused = self._mapped.popitem(last=False)
                if hasattr(unused, "madvise"):
                    unused.madvise(mmap.MADV_DONTNEED)  # whoever still looks at it reads the file again
        return np.frombuffer(mapped, np.uint16).reshape(shape)


def _temporary_file(room: int, folders: tuple[Path, ...]) -> BinaryIO | None:
    """A nameless file in the first of `folders` that is on a disk with that many bytes of room; None where there is none."""
    for folder in folders:
        try:
            if _on_disk(folder) and shutil.disk_usage(folder).free > _SPARE * room:
                file: BinaryIO = tempfile.TemporaryFile(prefix=".burstsr-", dir=folder)  # noqa: SIM115  it is closed with the shelf
                log.info("%d MB of raw frames go to a temporary file in %s", room // 1_000_000, folder)
                return file
        except OSError:
            continue
    log.warning("no disk has room for %d MB of temporary files: all frames stay in memory", room // 1_000_000)
    return None


def _on_disk(folder: Path) -> bool:
    """Whether a folder is there, and not known to lie in memory itself."""
    folder = folder.resolve()
    if not folder.is_dir():
        return False
    try:
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except (OSError, IndexError):  # only Linux says
        return True
    kinds = {Path(place.replace("\\040", " ")): kind for place, kind in mounts}
    kind = next((kinds[parent] for parent in (folder, *folder.parents) if parent in kinds), "")
    return kind not in _RAM_FILE_SYSTEMS
