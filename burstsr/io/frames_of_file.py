"""The frames that share a file: pages of a grey TIFF, and the four raw images of a Pentax pixel-shift set."""

from __future__ import annotations

import struct
from pathlib import Path

import rawpy

from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.grey_tiff import pages_of
from burstsr.io.pages import page_path, split

SELECTS = hasattr(rawpy.RawPy, "set_unpack_params")  # rawpy of 2026
_PENTAX = ("PENTAX", "RICOH")
_SUFFIX = ".pef"
_SHOTS = 4


def frames_of(path: Path) -> list[Path]:
    """Return the paths of a file's frames: the file itself, or if it holds several, one page each. Raises InputFileError."""
    if path.suffix.lower() != _SUFFIX:
        return pages_of(path)
    if split(path)[0] != path or not _is_set(path):
        return [path]
    if not SELECTS:
        raise InputFileError(f"{path}: holds a set of {_SHOTS} raw images, which this version of rawpy cannot select; a newer one is needed")
    return [page_path(path, shot) for shot in range(_SHOTS)]


def _is_set(path: Path) -> bool:
    """Whether a file of Pentax holds four raw images of the same size. Never raises."""
    try:
        with path.open("rb") as file:
            directories = tiff.read_directories(file)
        if not directories or not directories[0][t.MAKE].text().upper().startswith(_PENTAX):
            return False
        mosaics = [d for d in directories if t.PHOTOMETRIC in d and d[t.PHOTOMETRIC].numbers(1)[0] == t.CFA_PHOTOMETRIC]
        sizes = [tuple(d[code].numbers(1)[0] for code in (t.HEIGHT, t.WIDTH)) for d in mosaics]
        return sizes.count(max(sizes, default=())) == _SHOTS
    except (OSError, KeyError, ValueError, IndexError, OverflowError, struct.error):
        return False
