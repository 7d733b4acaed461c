"""Notification of JIT compilation, which dominates the first run: for progress and timings."""

from __future__ import annotations

import threading
import time
import weakref
from importlib import import_module
from typing import Any, Protocol

COMPILING = "compiling (first run)"  # stage reported as progress during compilation
_EVENT = "numba:compile"  # not sent for machine code loaded from the cache


class Watcher(Protocol):
    """Observer of compilation; held by weak reference."""

    def compiling(self, begun: bool) -> None:
        """Called when compilation begins or ends, on the thread that compiles."""


_lock = threading.Lock()
_watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
_depth = 0
_since = 0.0
_total = 0.0
_listening = False


def watch(watcher: Watcher) -> None:
    """Notify `watcher` from now on. If numba does not provide these events, nothing is reported and no time is counted."""
    global _listening
    _watchers.add(watcher)
    with _lock:
        if _listening:
            return
        _listening = True
    try:
        event = import_module("numba.core.event")

        class Listener(event.Listener):  # type: ignore[misc, name-defined]
            def on_start(self, event: Any) -> None:  # noqa: ANN401
                _changed(1)

            def on_end(self, event: Any) -> None:  # noqa: ANN401
                _changed(-1)

        event.register(_EVENT, Listener())
    except (ImportError, AttributeError, TypeError):
        pass


def seconds() -> float:
    """Return the wall time, in seconds since the first `watch`, during which any thread was compiling."""
    with _lock:
        return _total + (time.perf_counter() - _since if _depth else 0.0)


def _changed(by: int) -> None:
    """Count the start (1) or end (-1) of compiling a function: calls nest, and threads may compile concurrently."""
    global _depth, _since, _total
    with _lock:
        before, _depth = _depth, _depth + by
        now = time.perf_counter()
        if before == 0:
            _since = now
        elif _depth == 0:
            _total += now - _since
    if 0 in (before, before + by):
        for watcher in list(_watchers):
            watcher.compiling(by > 0)
