"""Files appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from burstsr.core.errors import BurstsrError, OutputError

_umask_lock = threading.Lock()
_LONGEST_SUFFIX = 16
_OLD_S = 86400.0


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on leaving it is synced, renamed to `path` and its folder synced, on any error it is removed.

    The temporary name keeps the suffix, by which some writers choose the format, starts with a dot, so that no reader takes it for a result, and is short,
    however long that of `path`. What killed runs left of the same file is removed. Raises OutputError where the folder or the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= _LONGEST_SUFFIX else ""
    key = f".{_digest(target.name)}.{_digest(socket.gethostname())}."
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left(target.parent, key)
        handle, name = tempfile.mkstemp(prefix=f"{key}{os.getpid()}.", suffix=f".part{suffix}", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
        sync_folder(target.parent)
    except BurstsrError:
        raise
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """The names in a folder to the disk, where the system can: a file that was renamed is safe from a power cut only then."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def alive(process: int) -> bool:
    """Whether a process of this machine runs; on Windows, where asking is not as simple, always True."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove_left(folder: Path, key: str) -> None:
    """Remove what writers of the same file on this machine left that are no more, or began a day ago."""
    for left in folder.glob(f"{key}*.part*"):
        owner = left.name[len(key) :].partition(".")[0]
        with suppress(OSError):
            if (owner.isdecimal() and not alive(int(owner))) or time.time() - left.stat().st_mtime > _OLD_S:
                left.unlink()


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]


def _umask() -> int:
    with _umask_lock:  # the umask is per process, and can only be read by changing it
        mask = os.umask(0o077)
        os.umask(mask)
    return mask
