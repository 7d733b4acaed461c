"""Progress bars on standard error, if it is a terminal: one for all bursts, and one per active burst for its current stage."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

_ALWAYS_S = 1e9  # remaining time is estimated from the whole run: bursts may take minutes each


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr.isatty()


class Bars:
    """Progress bars, as a context manager; `stage` and `finished` are thread-safe. Without a terminal, or with show=False, nothing is drawn."""

    def __init__(self, bursts: int, show: bool = True, title: str = "bursts") -> None:
        self._stack = ExitStack()
        self._progress: Any = None
        self._bursts = bursts
        self._title = title
        self._show = show and on_terminal()
        self._all: Any = None
        self._tasks: dict[str, Any] = {}
        self._counts: dict[str, tuple[int, int]] = {}  # steps done, and total
        self._gone: set[str] = set()  # a worker's last events may arrive after its result

    @property
    def shown(self) -> bool:
        """Whether the bars are drawn."""
        return self._show

    def __enter__(self) -> Self:
        if self._show:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("left"))
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), *times)
            # Results on standard output are redirected only where they share the screen with the bars.
            console = Console(stderr=True)
            progress = Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty(), speed_estimate_period=_ALWAYS_S)
            self._progress = self._stack.enter_context(progress)
            self._all = self._progress.add_task(self._title, total=self._bursts)
            self._progress.advance(self._all, 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def stage(self, burst: str, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a burst's stage are complete. The remaining time restarts where counting does."""
        if self._progress is not None and burst not in self._gone:
            if burst not in self._tasks:
                self._tasks[burst] = self._progress.add_task(burst, total=total)
            task, before = self._tasks[burst], self._counts.get(burst)
            if before is None or done < before[0] or total != before[1]:
                self._progress.reset(task, completed=done, total=total)
                self._progress.advance(task, 0)  # start of the speed measurement
            self._counts[burst] = done, total
            self._progress.update(task, description=f"{burst}: {stage}", completed=done, refresh=True)

    def finished(self, burst: str) -> None:
        """Remove a finished burst."""
        if self._progress is not None:
            if burst in self._tasks:
                self._progress.remove_task(self._tasks.pop(burst))
            self._gone.add(burst)
            self._progress.advance(self._all)
