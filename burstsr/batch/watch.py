"""Watching of folders: which bursts are complete. Files are complete once they no longer change, bursts once no further frame can belong to them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from burstsr.batch.job import NO_TIME, Job, recorded
from burstsr.io.discover import BurstFiles, Discovery
from burstsr.io.folders import Problem
from burstsr.io.grouping import PAUSE_S, Grouping
from burstsr.io.pages import file_of
from burstsr.io.sniff import OTHER_SUFFIXES, RAW_SUFFIXES

WAIT_S = 10.0
_State = tuple[int, int]  # size and time of a file


@dataclass(frozen=True)
class News:
    """What has become known. bursts: complete, not yet returned in this state. problems: files that stay unusable. names: of all bursts."""

    bursts: tuple[BurstFiles, ...] = ()
    problems: tuple[Problem, ...] = ()
    names: tuple[str, ...] = ()


class Watcher:
    """Looks at folders again and again. It holds a description of every file."""

    def __init__(
        self,
        folders: Sequence[Path],
        discover: Callable[[], Discovery],
        grouping: Grouping,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """wait_s: for how long the files of a burst must not have changed. discover: finds bursts in the folders. clock: in seconds."""
        self._folders, self._discover, self._grouping, self._wait_s, self._clock = folders, discover, grouping, wait_s, clock
        self._since: dict[Path, tuple[_State, float]] = {}  # state of a file, and since when it has it
        self._handled: dict[Path, _State] = {}  # files of bursts and problems that were returned

    def look(self) -> News:
        """Return what is new. Without a file that is complete and was not returned before nothing is opened."""
        now = self._clock()
        states = dict(_files(self._folders))
        self._since = {path: self._since[path] if path in self._since and self._since[path][0] == state else (state, now) for path, state in states.items()}
        if not any(now - since >= self._wait_s and self._handled.get(path) != state for path, (state, since) in self._since.items()):
            return News()
        found = self._discover()
        problems = [p for p in found.problems if p.path in self._since]
        unsettled = {p.path.parent for p in problems if self._age(p.path, now) < self._wait_s}  # files that may yet become frames of any burst beside them
        bursts = [burst for burst in found.bursts if self._is_new(burst) and burst.infos[0].path.parent not in unsettled and self._is_complete(burst, now)]
        new = [p for p in problems if self._age(p.path, now) >= self._wait_s and self._handled.get(p.path) != self._since[p.path][0]]
        waiting = {file_of(info.path) for burst in found.bursts if self._is_new(burst) for info in burst.infos}
        for path in (*(path for burst in bursts for path in _paths(burst)), *(p.path for p in new)):
            if path in self._since:
                self._handled[path] = self._since[path][0]
        for path in self._since.keys() - waiting:  # results, copies and the like
            if self._age(path, now) >= self._wait_s and path.parent not in unsettled:
                self._handled[path] = self._since[path][0]
        return News(tuple(bursts), tuple(new), tuple(burst.name for burst in found.bursts))

    def _age(self, path: Path, now: float) -> float:
        return now - self._since[path][1] if path in self._since else 0.0

    def _is_new(self, burst: BurstFiles) -> bool:
        """Whether the burst has a file that was not returned in its present state."""
        return any(path not in self._since or self._handled.get(path) != self._since[path][0] for path in _paths(burst))

    def _is_complete(self, burst: BurstFiles, now: float) -> bool:
        """Whether all files have been unchanged for long enough, and no later frame can belong to the burst: its exposure would have ended."""
        exposure = max(info.exposure_s for info in burst.infos)
        pause = PAUSE_S + exposure if self._grouping.gap_s is None else self._grouping.gap_s if self._grouping.gap_s < float("inf") else 0.0
        wait = max(self._wait_s, pause + exposure)
        return all(self._age(path, now) >= wait for path in _paths(burst))


def grown(job: Job) -> bool:
    """Whether the job's result was made before all its frames had come, or had come whole: of the same frames, by name and time, some are new or larger."""
    old = recorded(job.record, "fingerprints")
    if not isinstance(old, list) or not all(isinstance(f, str) for f in old) or old == list(job.fingerprints):
        return False
    was, now = _parsed(old), _parsed(job.fingerprints)
    unchanged = set(old) <= set(job.fingerprints)
    return bool(was) and (unchanged or all(key in now and now[key] >= size and key[1] != NO_TIME for key, size in was.items()))


def _parsed(fingerprints: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return the bytes of each frame by its name and time, from the fingerprints of `Job`.

    >>> _parsed(["a, b.dng, 9 bytes, 2026-01-01T12:00:00"])
    {('a, b.dng', '2026-01-01T12:00:00'): 9}
    """
    found = {}
    for fingerprint in fingerprints:
        rest, _, when = fingerprint.rpartition(", ")
        name, _, size = rest.rpartition(", ")
        found[name, when] = int(size.removesuffix(" bytes")) if size.removesuffix(" bytes").isdecimal() else 0
    return found


def _paths(burst: BurstFiles) -> list[Path]:
    return [file_of(info.path) for info in burst.infos]


def _files(folders: Sequence[Path]) -> Iterator[tuple[Path, _State]]:
    """Yield the files that may be frames, with their states; hidden ones are left out."""
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if not name.startswith(".")]
            for name in names:
                suffix = os.path.splitext(name)[1].lower()
                if name.startswith(".") or (suffix in OTHER_SUFFIXES and suffix not in RAW_SUFFIXES and suffix not in (".tif", ".tiff")):
                    continue
                path = Path(place, name)
                try:
                    status = path.stat()
                except OSError:
                    continue
                yield path, (status.st_size, status.st_mtime_ns)
