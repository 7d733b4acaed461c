"""The journal of a folder of results, `burstsr-batch.jsonl`: what became of each burst in the last run that met it. Bursts that fail leave no record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from burstsr.batch.job import Outcome
from burstsr.core.errors import OutputError
from burstsr.io.atomic import atomic

NAME = "burstsr-batch.jsonl"
WAITING, REJECTED = "waiting", "rejected"
STATUSES = (WAITING, "done", "skipped", "failed", REJECTED)
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Entry:
    """A burst, or, of status REJECTED, a file or folder that could not be used. status: of STATUSES. time: of the entry, ISO 8601, UTC."""

    burst: str
    status: str
    reason: str = ""
    frames: int = 0
    seconds: float = 0.0
    time: str = ""


class Journal:
    """The journal of the results in `folder`. Lines are appended, so that several runs may write to it; of a killed run the last may be cut short."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def begin(self, waiting: Iterable[tuple[str, int]], settled: Iterable[Outcome], rejected: Iterable[tuple[str, str]] = ()) -> None:
        """Begin a run: bursts that are to be processed, with their numbers of frames, and outcomes that are known. Raises OutputError.

        rejected: files or folders that cannot be used, and why; those of an earlier run are forgotten.
        """
        of = {entry.burst: entry for entry in read(self.path) if entry.status != REJECTED}
        of |= {name: Entry(name, REJECTED, reason, time=_now()) for name, reason in rejected}
        of |= {name: Entry(name, WAITING, frames=frames, time=_now()) for name, frames in waiting}
        for outcome in settled:
            of[outcome.name] = _entry(outcome, of.get(outcome.name))
        with atomic(self.path) as temporary:
            temporary.write_text("".join(map(_line, of.values())), encoding="utf-8")

    def add(self, outcome: Outcome) -> None:
        """Record the outcome of a burst. Raises OutputError."""
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, _line(_entry(outcome, None)).encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror or error})") from error


def read(path: Path) -> list[Entry]:
    """Return the latest entry of every burst, in the order of their first ones; lines that are damaged are left out. Empty without a journal."""
    try:
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).splitlines()
    except OSError:
        return []
    of: dict[str, Entry] = {}
    for line in lines:
        entry = _parsed(line)
        if entry is not None:
            of[entry.burst] = entry
    return list(of.values())


def _parsed(line: bytes) -> Entry | None:
    try:
        value: Any = json.loads(line)
        known = {f.name: value[f.name] for f in fields(Entry) if f.name in value}
        entry = Entry(**known)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = all(isinstance(text, str) for text in (entry.burst, entry.status, entry.reason, entry.time))
    numbers = all(isinstance(number, int | float) and 0 <= number < 1e12 for number in (entry.frames, entry.seconds))
    return entry if texts and numbers and entry.status in STATUSES else None


def _entry(outcome: Outcome, before: Entry | None) -> Entry:
    """Return the entry of an outcome; a burst that was done before and is skipped keeps its time."""
    if outcome.status == "skipped" and before is not None and before.status in ("done", "skipped"):
        return before
    return Entry(outcome.name, outcome.status, outcome.reason, outcome.frames, round(outcome.seconds, 3), _now())


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
