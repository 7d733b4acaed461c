"""One run at a time works on a result: a lock per result, in a hidden folder where its files go, which a killed run gives up."""

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
    """Hold the result `title` in `folder`. Gives the folder to work in, and how names in it begin.

    Raises BusyError where another run holds it, OutputError where nothing can be written: so a folder that is read-only is noticed before anything is computed.
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
                place.rmdir()  # where nothing came of it


def key_of(title: str) -> str:
    """A short name for a result, whose title may be as long as a name can be."""
    return hashlib.sha256(os.fsencode(unicodedata.normalize("NFC", title).casefold())).hexdigest()[:16]


def check_writable(folder: Path, title: str) -> None:
    """Raise OutputError where the result `title` cannot be written to `folder`, before anything is computed; BusyError where another run is at it."""
    with locked(folder, title):
        pass


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise OutputError where `folder`, or what there is of it, has less than `needed` bytes free."""
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
    """The open file of the lock, which is ours."""
    for attempt in range(_ATTEMPTS):
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another run left, and took the folder with it
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
        os.close(handle)  # its last owner removed it meanwhile
    raise BusyError("being processed by another run")


def _lock(handle: int) -> bool:
    """Whether the file is ours now: it stays so until this process ends, however it does."""
    if os.name == "nt":
        import msvcrt

        try:
            os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond what others read
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
    """Where a file system knows no locks: whether the run that the file names goes on, as far as can be told."""
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
    """Remove the file first: who opened it before finds out."""
    if os.name == "nt":  # where no open file can be removed
        os.close(handle)
        with suppress(OSError):
            lock.unlink()
        return
    with suppress(OSError):
        lock.unlink()
    os.close(handle)
