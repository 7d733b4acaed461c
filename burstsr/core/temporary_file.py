"""Temporary files for what memory cannot hold: without a name, on a disk with room for them."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

log = logging.getLogger(__name__)
_RAM_FILE_SYSTEMS = ("tmpfs", "ramfs")
_MOUNTS = Path("/proc/self/mounts")
_SPARE = 1.05  # of the free disk space


def usual_folders(beside: Path) -> tuple[Path, ...]:
    """Return where temporary files may be. beside: a folder of the user's, where the system's are not on a disk, or full."""
    return Path(tempfile.gettempdir()), Path("/var/tmp"), beside


def temporary_file(room: int, folders: Sequence[Path], what: str) -> BinaryIO | None:
    """Open a nameless file in the first of `folders` on a disk with `room` bytes of free space; None without one. what: is stored, for the log."""
    for folder in folders:
        try:
            if on_disk(folder) and shutil.disk_usage(folder).free > _SPARE * room:
                file: BinaryIO = tempfile.TemporaryFile(prefix=".burstsr-", dir=folder)  # noqa: SIM115  closed with its last user
                log.info("%d MB of %s are stored in a temporary file in %s", room // 1_000_000, what, folder)
                return file
        except OSError:
            continue
    log.warning("no disk has space for %d MB of temporary files: %s stay in memory", room // 1_000_000, what)
    return None


def on_disk(folder: Path) -> bool:
    """Whether a folder exists, and is not known to be in memory itself."""
    folder = folder.resolve()
    if not folder.is_dir():
        return False
    try:
        mounts = [line.split()[1:3] for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()]
    except (OSError, IndexError):  # known on Linux only
        return True
    kinds = {Path(place.replace("\\040", " ")): kind for place, kind in mounts}
    kind = next((kinds[parent] for parent in (folder, *folder.parents) if parent in kinds), "")
    return kind not in _RAM_FILE_SYSTEMS
