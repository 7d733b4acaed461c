"""Ctrl-C: the first ends a run in order, the second at once, whatever is being computed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from burstsr.core.errors import INTERRUPTED as INTERRUPTED

_HINT_AFTER_S = 1.0


@contextmanager
def watched() -> Iterator[None]:
    """Context in which a second Ctrl-C ends the process and its workers, with exit status 130.

    Python raises KeyboardInterrupt on the main thread between two of its own instructions, so not while that is inside a compiled loop. What the
    operating system calls on a signal comes at any time, and writes to a socket on which another thread waits.
    """
    read, write = socket.socketpair()
    write.setblocking(False)  # signal handlers must not wait
    before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_count, args=(read,), name="burstsr-interrupts", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        write.close()  # the thread ends


def leave(status: int) -> int:
    """The exit status, for sys.exit; after an interrupt the process ends here, without waiting for what its threads still compute."""
    if status == INTERRUPTED:
        import atexit

        atexit._run_exitfuncs()
        _end()
    return status


def _count(signals: socket.socket) -> None:
    """Wait for interrupts, and end the process on the second."""
    seen = 0
    with signals:
        while True:
            signals.settimeout(_HINT_AFTER_S if seen == 1 else None)
            try:
                received = signals.recv(64)
            except TimeoutError:
                _write("burstsr: interrupted: stopping; Ctrl-C again exits at once\n")
                signals.settimeout(None)
                received = signals.recv(64)
            if not received:
                return
            seen += received.count(signal.SIGINT)
            if seen > 1:
                _kill_workers()
                _write("burstsr: terminated\n")
                _end()


def _kill_workers() -> None:
    """Those of this process; each would end by itself too, once it notices that its parent has gone."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            with suppress(OSError):
                child.kill()


def _write(text: str) -> None:
    """A line past whatever progress display has put itself in between: its lock may be held by who is being ended."""
    stream = sys.__stderr__
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.write(("\x1b[?25h\n" if stream.isatty() else "") + text)  # bars hide the cursor
            stream.flush()


def _end() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(INTERRUPTED)
