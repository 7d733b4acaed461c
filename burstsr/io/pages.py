"""Names of frames that share a file: the pages of a TIFF. A page's path is that of the file, with the page's index in brackets."""

from __future__ import annotations

import re
from pathlib import Path

_PAGE = re.compile(r"(.+)\[(\d+)\]")


def page_path(file: Path, index: int) -> Path:
    """Return the path of a page, counted from 0.

    >>> page_path(Path("stack.tif"), 3).name
    'stack.tif[3]'
    """
    return file.with_name(f"{file.name}[{index}]")


def split(path: Path) -> tuple[Path, int]:
    """Return the file of a frame, and its page there: 0 where it has a file for itself.

    >>> split(Path("stack.tif[3]")), split(Path("a.dng"))  # doctest: +ELLIPSIS
    ((...Path('stack.tif'), 3), (...Path('a.dng'), 0))
    """
    found = _PAGE.fullmatch(path.name)
    if found is None or path.exists():
        return path, 0
    return path.with_name(found[1]), int(found[2])


def file_of(path: Path) -> Path:
    """Return the file of a frame."""
    return split(path)[0]
