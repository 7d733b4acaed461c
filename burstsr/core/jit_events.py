"""When something is being compiled, which on the first run takes longer than the work: for progress and timings."""

from __future__ import annotations

import threading
import time
import weakref
from importlib import import_module
from typing import Any, Protocol

_EVENT = "numba:compile"  # not sent for machine code that is loaded from the cache


class Watcher(Protocol):
    """Who wants to be told; held weakly."""

    def compiling(self, begun: bool) -> None:
        """Compiling has begun, or ended; called on whatever thread compiles."""


_lock = threading.Lock()
_watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
_depth = 0
_since = 0.0
_total = 0.0
_listening = False


def watch(watcher: Watcher) -> None:
    """Tell `watcher` from now on. Where numba has no such events any more, it is never told, and no seconds are counted."""
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
    """Wall seconds since `watch` was first called in which something was being compiled, on any thread."""
    with _lock:
        return _total + (time.perf_counter() - _since if _depth else 0.0)


def _changed(by: int) -> None:
    """Compiling of one function has begun (1) or ended (-1): they nest, and threads may compile at once."""
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
