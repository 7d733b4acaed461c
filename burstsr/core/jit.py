"""Compilation of loops with numba, and the cache of their machine code.

Loops release the GIL and take a range of rows; `over_rows` distributes the ranges over a thread pool. Numba's `parallel=True` would do the same
at several times the compile time, and its threading layers forbid concurrent calls, which overlapping reading with computing requires.
fastmath excludes nnan and ninf: with them LLVM removes tests for NaN. Loops called by loops are inlined (forceinline): otherwise every caller's machine code
brings its own copy of them, each optimised, and so rounded, differently, and what was loaded first determines whose copy all callers use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba

from burstsr.core.parallel import over_rows as over_rows
from burstsr.core.parallel import set_threads as set_threads
from burstsr.core.parallel import thread_count as thread_count

log = logging.getLogger(__name__)
FASTMATH = {"contract", "reassoc", "arcp", "nsz", "afn"}
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": FASTMATH, "error_model": "numpy", "forceinline": True}
_F = TypeVar("_F", bound=Callable[..., Any])
loops: list[Any] = []  # all compiled ones
_reported: set[str] = set()


def compiled(function: _F) -> _F:
    """Compile a loop. The machine code is cached beside the source, or in the user's cache folder, or, if neither is writable, not at all."""
    try:
        loop = numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # numba found no folder to cache in
        _tell_once("no folder can be written to keep machine code in: every run compiles anew, which takes a minute; NUMBA_CACHE_DIR names such a folder")
        return cast(_F, numba.njit(**OPTIONS)(function))
    if hasattr(loop, "_cache"):
        loop._cache = _Forgiving(loop._cache)
    loops.append(loop)
    return cast(_F, loop)


def inlined(function: _F) -> _F:
    """Compile a small function inlined into loops, so that LLVM can vectorise across it."""
    return cast(_F, numba.njit(inline="always", fastmath=FASTMATH, error_model="numpy")(function))


class _Forgiving:
    """Cache of a loop that tolerates a full disk or damaged files: the loop is then compiled without caching."""

    def __init__(self, cache: Any) -> None:  # noqa: ANN401  numba has no types
        self._of_numba = cache

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._of_numba, name)

    def load_overload(self, *arguments: object) -> Any:  # noqa: ANN401
        try:
            return self._of_numba.load_overload(*arguments)
        except Exception as error:  # unpickling damaged files may raise anything
            _tell_once(f"machine code kept in {self._of_numba.cache_path} cannot be read ({error!r}): it is compiled anew")
            with suppress(Exception):
                self._of_numba.flush()
            return None

    def save_overload(self, *arguments: object) -> None:
        try:
            self._of_numba.save_overload(*arguments)
        except Exception as error:  # the disk is full, the folder is missing, or a file is damaged
            _tell_once(f"machine code cannot be kept in {self._of_numba.cache_path} ({error!r}): the next run compiles anew")


def _tell_once(text: str) -> None:
    if text not in _reported:
        _reported.add(text)
        log.info(text)
