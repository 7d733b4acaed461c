"""Mosaics that had to be decoded for their description alone, kept for who reads the frame next: LibRaw learns levels by decoding.

Kept as far as memory for it goes, the first to come, since bursts are read in that order; a file that has changed since is decoded again.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import FrameInfo

MEMORY_BYTES = 256_000_000  # that kept mosaics may take
Decoded = tuple[FrameInfo, NDArray[np.uint16]]
_Key = tuple[str, int, int]
_lock = threading.Lock()
_kept: dict[_Key, Decoded] = {}


def keep(path: Path, decoded: Decoded) -> None:
    """Keep what was decoded of a file, where there is memory for it."""
    key = _key(path)
    with _lock:
        if key is not None and sum(mosaic.nbytes for _, mosaic in _kept.values()) + decoded[1].nbytes <= MEMORY_BYTES:
            _kept[key] = decoded


def take(path: Path) -> Decoded | None:
    """Return what was kept of a file, which is then no longer kept; None where nothing is."""
    key = _key(path)
    with _lock:
        return None if key is None else _kept.pop(key, None)


def forget() -> None:
    """Keep nothing any longer: other frames are looked at, or these are read in other processes."""
    with _lock:
        _kept.clear()


def _key(path: Path) -> _Key | None:
    """Return what tells a file, as it is now, from any other."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return str(path), stat.st_size, stat.st_mtime_ns
