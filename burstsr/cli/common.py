"""Options that every command has, and what they do before it runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MOST_THREADS = 1024
# read by libraries when they are loaded, which is later: OpenCV; OpenMP (LibRaw, PyTorch); what NumPy and SciPy multiply matrices with
_VARIABLES = ("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def add_common(parser: argparse.ArgumentParser, *, inner: bool = False) -> None:
    """Add -v, --json and --threads to a command. inner: to a command's own command, where they may stand as well as before it."""
    nothing = argparse.SUPPRESS
    parser.add_argument("-v", "--verbose", action="count", default=nothing if inner else 0, help="say what happens, on standard error; twice: everything")
    parser.add_argument("--json", action="store_true", default=nothing if inner else False, help="print one JSON object instead of text")
    with suppress(argparse.ArgumentError):  # those whose N means something more have their own
        parser.add_argument("--threads", type=_threads, default=nothing if inner else None, metavar="N", help="processor cores to use (default: all)")


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Within it loops and libraries use that many cores; None or 0: all."""
    if not threads:
        yield
        return
    from burstsr.ground.threads import set_threads

    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(threads)))
    set_threads(threads)
    try:
        yield
    finally:
        set_threads(0)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r}: must be between 1 and {MOST_THREADS}")
    return int(text)
