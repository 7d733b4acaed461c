"""Identification of identical files: by the file system's identity, and by content."""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from burstsr.core.burst import FrameInfo

Identity = tuple[int, int] | str
_SAMPLES = 4
_SAMPLE_BYTES = 4096


def identity(path: Path) -> Identity:
    """Return what all links to one file or folder have in common. Raises OSError."""
    status = path.stat()
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)  # some network drives provide no inode number


def copies(infos: Iterable[FrameInfo]) -> list[tuple[FrameInfo, FrameInfo]]:
    """Find frames whose files are byte-identical to another's, each with the original: the one with the shortest name, `a.dng` before `a (1).dng`.

    Files are read completely only where size, capture time and samples of the content agree. A file that cannot be read is no copy.
    """
    alike: dict[tuple[object, ...], list[FrameInfo]] = {}
    for info in infos:
        try:
            alike.setdefault((info.path.stat().st_size, info.time, info.shape, info.exposure_s), []).append(info)
        except OSError:
            continue
    sampled: dict[bytes, list[FrameInfo]] = {}
    for group in alike.values():
        for info in group if len(group) > 1 else ():
            sampled.setdefault(_samples(info.path), []).append(info)
    return [pair for digest, group in sampled.items() if digest for pair in _equal(sorted(group, key=lambda info: (len(info.path.name), info.path.name)))]


def _equal(infos: Sequence[FrameInfo]) -> list[tuple[FrameInfo, FrameInfo]]:
    found: list[tuple[FrameInfo, FrameInfo]] = []
    originals: list[FrameInfo] = []
    for info in infos:
        original = next((other for other in originals if _same_content(other.path, info.path)), None)
        if original is None:
            originals.append(info)
        else:
            found.append((info, original))
    return found


def _same_content(a: Path, b: Path) -> bool:
    try:
        return filecmp.cmp(a, b, shallow=False)
    except OSError:
        return False


def _samples(path: Path) -> bytes:
    """Return a digest of blocks spread over a file; empty where it cannot be read."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for n in range(_SAMPLES):
                file.seek(size * n // _SAMPLES)
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
        return b""
    return digest.digest() + size.to_bytes(8, "little")
