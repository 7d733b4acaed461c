"""A process that answers what it is sent, one message after another, and is replaced when that ends it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

_CONTEXT = multiprocessing.get_context("spawn")


class ReplaceableProcess:
    """Runs `serve(connection, folder)`, which never returns; `connection` is this side's end of the pipe."""

    def __init__(self, serve: Callable[[Connection, Path], None], folder: Path) -> None:
        self._serve, self._folder = serve, folder
        self._start()

    def _start(self) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=self._serve, args=(theirs, self._folder), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Return the identifier of the current process."""
        return self._process.pid

    def replace_ended(self) -> int | None:
        """Start another process in place of one that has ended by itself; return the exit status of that, negative for a signal."""
        self._process.join()
        status = self._process.exitcode
        self._start()
        return status

    def replace_hanging(self) -> None:
        """End the process, and start another."""
        self.close()
        self._start()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
