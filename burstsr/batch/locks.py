"""Locks: one run at a time processes a result. A lock per result, in a hidden folder beside its files, is released when a run is killed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from burstsr.core.errors import BurstsrError, BusyError, OutputError
from burstsr.io.atomic import alive

WORK = ".burstsr"
_ATTEMPTS = 100
_UNSUPPORTED = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


@contextmanager
def locked(folder: Path, title: str) -> Iterator[tuple[Path, str]]:
    """Lock the result `title` in `folder`. Yields the folder for temporary files, and the prefix of names in it.

    Raises BusyError where another run holds it, OutputError where nothing can be written: a read-only folder is noticed before anything is computed.
    """
    key = key_of(title)
    work = folder / WORK
    lock = work / f"{key}.lock"
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        handle = _acquired(lock, title)
    except BurstsrError:
        raise
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error
    try:
        yield work, key
    finally:
        _release(handle, lock)
        with suppress(OSError):
            work.rmdir()
            for place in new:
                place.rmdir()  # if it is empty


def key_of(title: str) -> str:
    """Return a short name for a result, whose title may have the maximum length."""
    return hashlib.sha256(os.fsencode(unicodedata.normalize("NFC", title).casefold())).hexdigest()[:16]


def check_writable(folder: Path, title: str) -> None:
    """Raise OutputError where the result `title` cannot be written to `folder`, before anything is computed; BusyError where another run holds it."""
    with locked(folder, title):
        pass


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise OutputError where the file system of `folder` has less than `needed` bytes free."""
    folder = next((parent.parent for parent in (folder, *folder.parents) if parent.name == WORK), folder)
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return
    if needed > free:
        raise OutputError(f"{folder}: {what} needs about {_size(needed)}, but only {_size(free)} are free; choose another output folder, or free some space")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


def _acquired(lock: Path, title: str) -> int:
    """Return the open, locked file."""
    for attempt in range(_ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another run finished and removed the folder
            if attempt + 1 < _ATTEMPTS:
                continue
            raise
        try:
            if not _lock(handle):
                raise BusyError(f"being processed by another run ({_owner(handle) or 'of this machine'})")
            if _same_file(handle, lock):
                os.ftruncate(handle, 0)
                os.pwrite(handle, _myself().encode(), 0) if hasattr(os, "pwrite") else os.write(handle, _myself().encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its previous owner removed it meanwhile
    raise BusyError("being processed by another run")


def _lock(handle: int) -> bool:
    """Whether the file is now locked by this process, until it ends."""
    if os.name == "nt":
        import msvcrt

        try:
            os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond the bytes that others read
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            os.lseek(handle, 0, os.SEEK_SET)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return not _held(_owner(handle))
        raise
    return True


def _held(owner: str) -> bool:
    """Whether the run named in the file is still active, where the file system has no locks."""
    words = owner.split()
    if len(words) != 4 or not words[1].isdecimal():
        return False
    if words[3] != socket.gethostname():
        return True
    if int(words[1]) == os.getpid():
        return False
    return alive(int(words[1]))


def _myself() -> str:
    return f"process {os.getpid()} on {socket.gethostname() or 'unknown'}"


def _owner(handle: int) -> str:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        return os.read(handle, 300).decode("utf-8", "replace")
    except OSError:
        return ""


def _same_file(handle: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except OSError:
        return False


def _release(handle: int, lock: Path) -> None:
    """Remove the file before unlocking: others that have it open detect that."""
    if os.name == "nt":  # where open files cannot be removed
        os.close(handle)
        with suppress(OSError):
            lock.unlink()
        return
    with suppress(OSError):
        lock.unlink()
    os.close(handle)
