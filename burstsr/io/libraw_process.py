"""LibRaw in processes of its own: on a damaged file it may crash, compute without end, or fill memory, which then costs that file and nothing else.

A process decodes one file at a time and is used again; as many run as files are decoded at once. They end with this one: their input is then closed.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import numpy as np

from burstsr.core.errors import InputFileError
from burstsr.io.libraw_file import LibRawFile, decoded_here, opens_here
from burstsr.io.pages import file_of

LONGEST_S = 10.0  # of computing, for a small file
BYTES_PER_S = 2_000_000  # of a file, that any machine decodes
MEMORY_BYTES, MEMORY_PER_BYTE = 2 * 2**30, 16
_PATIENCE = 30  # times as long as computing may take, on a busy machine or from a slow disk
_STOPPED = "LibRaw was stopped: damaged, or made to stop it"
_lock = threading.Lock()
_idle: list[_Worker] = []


class _Worker:
    """A process that runs `serve`. Raises OSError where none can be started."""

    def __init__(self) -> None:
        if not sys.executable:
            raise OSError("no interpreter is known")
        code = f"import sys; sys.path[:] = {sys.path!r}; from burstsr.io.libraw_process import serve; serve()"
        hidden: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows only
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=hidden)

    def answer(self, task: str, path: Path) -> tuple[Mapping[str, Any], bytearray]:
        """Return what the process says of a file, and its pixels. Raises EOFError where it ended instead."""
        pipe, back = self._process.stdin, self._process.stdout
        assert pipe is not None and back is not None
        size = file_of(path).stat().st_size
        watch = threading.Timer(_PATIENCE * _seconds(size), self._process.kill)
        watch.daemon = True
        watch.start()
        try:
            pipe.write(json.dumps([task, str(path.absolute()), size]).encode() + b"\n")
            pipe.flush()
            head = back.readline()
            if not head.endswith(b"\n"):
                raise EOFError
            said = json.loads(head)
            pixels = bytearray(said.get("bytes", 0))
            if cast(BufferedReader, back).readinto(pixels) != len(pixels):
                raise EOFError
            return said, pixels
        except (OSError, ValueError) as error:
            raise EOFError from error
        finally:
            watch.cancel()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


def decode(path: Path) -> LibRawFile:
    """Decode a file with LibRaw, as `decoded_here` does, in another process. Raises InputFileError, also where that process does not survive it."""
    found = _asked("decode", path)
    if found is None:
        return decoded_here(path)
    said, pixels = found
    if "error" in said:
        raise InputFileError(said["error"].replace(str(path.absolute()), str(path)))
    return LibRawFile(said["facts"], np.frombuffer(pixels, said["type"]).reshape(said["shape"]))


def opens(path: Path) -> bool:
    """Whether LibRaw opens a file, as `opens_here`, in another process. Never raises InputFileError."""
    try:
        found = _asked("opens", path)
    except InputFileError:
        return False
    return opens_here(path) if found is None else bool(found[0].get("opens"))


def libraw_name(path: Path) -> str:
    """Return the camera's name by LibRaw, as `libraw_names.libraw_name` does, from another process; '' where it is unknown."""
    found = _asked("name", path)
    return str(found[0].get("name", "")) if found else ""


def _asked(task: str, path: Path) -> tuple[Mapping[str, Any], bytearray] | None:
    """Let a process do a task; None where none can be started. Raises InputFileError where it ends instead of answering."""
    with _lock:
        worker = _idle.pop() if _idle else None
    try:
        worker = worker or _Worker()
    except OSError:
        return None
    kept = False
    try:
        found = worker.answer(task, path)
        kept = True
        return found
    except EOFError as error:
        raise InputFileError(f"{path}: {_STOPPED}") from error
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    finally:
        if kept:
            with _lock:
                _idle.append(worker)
        else:
            worker.close()


@atexit.register
def _close_all() -> None:
    with _lock:
        while _idle:
            _idle.pop().close()


def _seconds(size: int) -> float:
    return LONGEST_S + size / BYTES_PER_S


def serve() -> None:
    """Answer tasks from standard input on standard output, until it is closed; the process's computing and memory are limited for each."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between
    for line in sys.stdin.buffer:
        task, name, size = json.loads(line)
        _limit(size)
        said, pixels = _done(task, Path(name))
        out.write(json.dumps(said).encode() + b"\n")
        out.write(pixels)
        out.flush()


def _done(task: str, path: Path) -> tuple[dict[str, Any], bytes | memoryview]:
    try:
        if task == "opens":
            return {"opens": opens_here(path)}, b""
        if task == "name":
            from burstsr.io import libraw_names

            return {"name": libraw_names.libraw_name(path)}, b""
        found = decoded_here(path)
    except InputFileError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": f"{path}: LibRaw needs more memory than there is, or than a file of its size may take"}, b""
    except Exception as error:
        return {"error": f"{path}: truncated or corrupt ({type(error).__name__}: {error})"}, b""
    image = found.raw_image
    return {"facts": dict(found.facts), "type": image.dtype.str, "shape": image.shape, "bytes": image.nbytes}, image.reshape(-1).view(np.uint8).data


def _limit(size: int) -> None:
    """Limit computing and memory of this process for a file of `size` bytes, where the system can."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    for kind, most in (
        (resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + _seconds(size)) + 1),
        (resource.RLIMIT_AS, MEMORY_BYTES + MEMORY_PER_BYTE * size),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):
            hard = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
