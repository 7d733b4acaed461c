"""Progress on standard error, where that is a terminal: a bar for all bursts, and one per burst at work for its present stage."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self


def on_terminal() -> bool:
    """Whether somebody sees standard error."""
    return sys.stderr.isatty()


class Bars:
    """A context manager; in it, `stage` and `finished` may be called from any thread. Off a terminal, or with show=False, nothing is drawn."""

    def __init__(self, bursts: int, show: bool = True, title: str = "bursts") -> None:
        self._stack = ExitStack()
        self._progress: Any = None
        self._bursts = bursts
        self._title = title
        self._show = show and on_terminal()
        self._all: Any = None
        self._tasks: dict[str, Any] = {}
        self._gone: set[str] = set()  # a worker's last events may come after its result

    @property
    def shown(self) -> bool:
        """Whether anybody sees the bars."""
        return self._show

    def __enter__(self) -> Self:
        if self._show:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            # Results on standard output are redirected only where they share the screen with the bars.
            console = Console(stderr=True)
            self._progress = self._stack.enter_context(Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()))
            self._all = self._progress.add_task(self._title, total=self._bursts)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def stage(self, burst: str, stage: str, done: int, total: int) -> None:
        """A burst's stage is `done` of `total` steps far."""
        if self._progress is not None and burst not in self._gone:
            if burst not in self._tasks:
                self._tasks[burst] = self._progress.add_task(burst, total=total)
            self._progress.update(self._tasks[burst], description=f"{burst}: {stage}", completed=done, total=total, refresh=True)

    def finished(self, burst: str) -> None:
        """A burst has left."""
        if self._progress is not None:
            if burst in self._tasks:
                self._progress.remove_task(self._tasks.pop(burst))
            self._gone.add(burst)
            self._progress.advance(self._all)
