"""Writing of a burst's result and record."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.batch.added_formats import BELOW_BLACK, below_black
from burstsr.batch.job import REPORT
from burstsr.batch.resume import to_write
from burstsr.core.schema import with_both_names

if TYPE_CHECKING:
    from burstsr.batch.atomic_set import Claim
    from burstsr.batch.job import Job, Progress
    from burstsr.core.result import Result


def write_outputs(job: Job, image: Result, read_seconds: float, claim: Claim, progress: Progress | None) -> None:
    """Write the missing files of the burst or, with `overwrite`, all; existing ones stay until the new ones are complete.

    Raises OutputError.
    """
    start = time.perf_counter()
    _announce(progress)
    wanted = to_write(job)
    with claim.staged([path.name for path in wanted.values()], adds=not job.overwrite) as staging:
        _write(job, wanted, image, staging.folder)
        timed: Any = image.report["seconds"]
        seconds = {"read": round(read_seconds, 3), **timed, "write": round(time.perf_counter() - start, 3)}
        asked = {"fingerprints": job.fingerprints, "contents": job.contents, "settings_asked": job.asked, **_memory(job)}
        facts = {**image.report, BELOW_BLACK: below_black(image.image), "burst": job.name, "seconds": seconds, **asked}
        staging.record = with_both_names(facts)


def add_formats(job: Job, image: Result, claim: Claim, progress: Progress | None) -> str:
    """Write missing formats of an image of an earlier run; return a description. Raises OutputError."""
    _announce(progress)
    wanted = to_write(job)
    with claim.staged([path.name for path in wanted.values()], adds=True) as staging:
        _write(job, wanted, image, staging.folder)
        staging.record = image.report.to_dict()
    return f"{', '.join(path.name for path in wanted.values())} made from {job.images['dng'].name}, which was there"


def _write(job: Job, wanted: dict[str, Path], image: Result, folder: Path) -> None:
    """Write the first format, limited by the disk, while the others, limited by computing, are encoded."""
    from burstsr.batch import report_data
    from burstsr.batch.outputs import write_result

    def write(kind: str, path: Path) -> None:
        if kind == REPORT:
            report_data.write(folder / path.name, image, job)
        else:
            write_result(folder / path.name, kind, image, job.settings.finish)

    first, *others = wanted.items()
    with ThreadPoolExecutor(1, thread_name_prefix="burstsr-write") as pool:
        context = copy_context()  # large arrays on disk, there too
        begun = pool.submit(lambda: context.run(write, *first))
        for kind, path in others:
            write(kind, path)
        begun.result()


def _memory(job: Job) -> dict[str, Any]:
    """Return what the record says of memory, where it was limited."""
    if not job.memory_limit and not job.images_on_disk:
        return {}
    return {"memory": {"limit_bytes": job.memory_limit or None, "images_on_disk": job.images_on_disk}}


def _announce(progress: Progress | None) -> None:
    from burstsr.core import jit_events

    writing = _Writing(progress)
    jit_events.watch(writing)
    writing.compiling(False)


class _Writing:
    """Reports writing, or compiling of the renderer, as progress."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def compiling(self, begun: bool) -> None:
        from burstsr.report import COMPILING

        if self._progress:
            self._progress(COMPILING if begun else "write", 0, 1)
