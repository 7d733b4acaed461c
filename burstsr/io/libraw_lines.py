"""Capture of LibRaw's messages: it reports damage on standard error, from C, and raises a less specific error.

rawpy exposes neither LibRaw's flag against it nor its callback. So, while files are decoded, the descriptor of standard error is redirected to a
temporary file. Several threads may decode at once: LibRaw's lines contain the file name, by which they are assigned. Anything else written
meanwhile, by whomever, is forwarded to the original descriptor; the command line's own output uses another descriptor.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_STDERR = 2
_LINE = re.compile(rb"(?P<file>.*): (?P<text>Unexpected end of file|data corrupted at -?\d+|Out of memory in .*)\r?\n")
_NAMELESS = b"unknown file"  # LibRaw's name of files opened by a wide-character path, as on Windows


class LibRawLines:
    """A context in which one file is decoded. `text`: what LibRaw printed about the file so far, or ''."""

    def __init__(self, path: Path) -> None:
        self._name = str(path).encode("utf-8", "surrogateescape")  # as rawpy passes it

    def __enter__(self) -> Self:
        _redirection.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _redirection.end()

    @property
    def text(self) -> str:
        """Given once, within the context."""
        return "; ".join(_redirection.take(self._name))


class _Redirection:
    """Standard error redirected to a file while any thread decodes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decoding = 0
        self._real = self._file = -1
        self._read = 0  # bytes of the file
        self._lines: dict[bytes, list[str]] = {}

    def begin(self) -> None:
        with self._lock:
            self._decoding += 1
            if self._decoding == 1:
                self._lead_away()

    def end(self) -> None:
        with self._lock:
            self._decoding -= 1
            if self._decoding == 0:
                self._lead_back()
                self._lines.clear()
            else:
                self._collect()

    def take(self, name: bytes) -> list[str]:
        with self._lock:
            self._collect()
            own = self._lines.pop(name, [])
            nameless = self._lines.get(_NAMELESS, [])
            return own or [nameless.pop(0)] if own or nameless else []

    def _lead_away(self) -> None:
        """Redirect; without a standard error, or space for the file, nothing changes."""
        try:
            self._real = os.dup(_STDERR)
            handle, path = tempfile.mkstemp(prefix="burstsr-")
            os.close(handle)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_TEMPORARY", 0) | getattr(os, "O_BINARY", 0))
            if os.name != "nt":  # the file is deleted when it is closed
                os.unlink(path)
            os.dup2(self._file, _STDERR)
        except OSError:
            self._close()
        self._read = 0

    def _lead_back(self) -> None:
        if self._file >= 0:
            os.dup2(self._real, _STDERR)
            self._collect()
        self._close()

    def _close(self) -> None:
        for descriptor in (self._file, self._real):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._real = -1

    def _collect(self) -> None:
        """Assign what was written since the last call."""
        if self._file < 0:
            return
        os.lseek(self._file, self._read, os.SEEK_SET)  # writes append, whatever the read position
        written = b""
        while piece := os.read(self._file, 1 << 16):
            written += piece
        self._read += len(written)
        for line in written.splitlines(keepends=True):
            found = _LINE.fullmatch(line)
            if found:
                self._lines.setdefault(found["file"], []).append(found["text"].decode("utf-8", "replace"))
            else:
                with suppress(OSError):
                    os.write(self._real, line)


_redirection = _Redirection()
