"""Arrays that may be larger than memory: ordinary ones or, within `arrays_on_disk`, mapped from temporary files without a name.

Stages go over images in strips, with as many rows around as a strip depends on, and give back the pages of what they have read and written after each
(`core.mapped_pages`; `core.parallel` does so after every few rows of a loop). So memory holds some strips, whatever the size of the image, and the
operations, hence the bits of the result, are the same as in memory.
"""

from __future__ import annotations

import logging
import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from burstsr.core import mapped_pages
from burstsr.core.temporary_file import temporary_file, usual_folders

log = logging.getLogger(__name__)
_LEAST_BYTES = 1 << 20  # smaller arrays stay in memory
_BLOCK = bytes(1 << 20)
_folders: ContextVar[tuple[Path, ...] | None] = ContextVar("burstsr_folders_of_large_arrays", default=None)


@contextmanager
def arrays_on_disk(beside: Path, wanted: bool = True) -> Iterator[None]:
    """Map arrays that `empty` and `zeros` make within the context from files, if `wanted`. beside: a folder for them where the system's do not serve.

    They may outlive the context. Threads have it where it is copied to them (`contextvars`).
    """
    if not wanted or _folders.get() is not None:
        yield
        return
    token = _folders.set(usual_folders(beside))
    try:
        yield
    finally:
        _folders.reset(token)


def empty(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return a new C-order array, with any content."""
    kind, folders = np.dtype(dtype), _folders.get()
    size = math.prod(shape) * kind.itemsize
    mapped = _mapped(size, folders) if folders is not None and size >= _LEAST_BYTES else None
    return np.empty(shape, kind) if mapped is None else np.frombuffer(mapped, kind).reshape(shape)


def zeros(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return a new C-order array of zeros."""
    kind, folders = np.dtype(dtype), _folders.get()
    return np.zeros(shape, kind) if folders is None else _zeroed(empty(shape, kind))


def copied(array: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return a copy, C-order, of the same or another type."""
    out = empty(array.shape, dtype or array.dtype)
    for rows in strips(out):
        out[rows] = array[rows]
    return out


def kept(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that is not to be changed any more; within `arrays_on_disk` moved there."""
    return array if _folders.get() is None else copied(array)


def strips(array: NDArray[Any]) -> Iterator[slice]:
    """Yield slices of rows that cover an array, whose pages are given back after each: all rows at once where it is in memory."""
    if not mapped_pages.there_are():
        yield slice(0, len(array))
        return
    for first in range(0, len(array), mapped_pages.ROWS):
        yield slice(first, min(first + mapped_pages.ROWS, len(array)))
        mapped_pages.release()


def largest(image: NDArray[Any]) -> NDArray[Any]:
    """Return the largest value of every channel of an image (H, W, C)."""
    return np.asarray(np.max([image[rows].max(axis=(0, 1)) for rows in strips(image)], axis=0))


def _zeroed(array: NDArray[Any]) -> NDArray[Any]:
    for rows in strips(array):
        array[rows] = 0
    return array


def _mapped(size: int, folders: tuple[Path, ...]) -> mmap.mmap | None:
    """Return a new map of a file of `size` bytes; None without space."""
    file = temporary_file(size, folders, "images")
    if file is None:
        return None
    with file:
        try:
            _reserve(file, size)
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_WRITE)
        except OSError as error:
            log.warning("no space left for temporary files (%s): images stay in memory", error.strerror or error)
            return None
    mapped_pages.watch(mapped)
    return mapped


def _reserve(file: BinaryIO, size: int) -> None:
    """Allocate the blocks of a file: writing to a map on a full disk would end the process. Raises OSError without space."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    for first in range(0, size, len(_BLOCK)):
        file.write(_BLOCK[: size - first])
    file.flush()
