"""A burst's picture to its files and its record."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burstsr.cli.addition import BELOW_BLACK, below_black
from burstsr.cli.resume import to_write

if TYPE_CHECKING:
    from burstsr.cli.job import Job, Progress
    from burstsr.cli.staging import Claim
    from burstsr.ground.burst import Picture


def write_outputs(job: Job, picture: Picture, read_seconds: float, claim: Claim, progress: Progress | None) -> None:
    """Write the files of the burst that are not there, or, with `overwrite`, all; those that were there stay until the new ones are whole.

    Raises OutputError.
    """
    start = time.perf_counter()
    _announce(progress)
    wanted = to_write(job)
    with claim.staged([path.name for path in wanted.values()], adds=not job.overwrite) as staging:
        _write(job, wanted, picture, staging.folder)
        timed: Any = picture.report["seconds"]
        seconds = {"read": round(read_seconds, 3), **timed, "write": round(time.perf_counter() - start, 3)}
        asked = {"frames_read": job.marks, "settings_asked": job.asked}
        staging.record = {**picture.report, BELOW_BLACK: below_black(picture.rgb), "burst": job.name, "seconds": seconds, **asked}


def add_formats(job: Job, picture: Picture, claim: Claim, progress: Progress | None) -> str:
    """Write the formats that are missing, of a picture that an earlier run made; what was done. Raises OutputError."""
    _announce(progress)
    wanted = to_write(job)
    with claim.staged([path.name for path in wanted.values()], adds=True) as staging:
        _write(job, wanted, picture, staging.folder)
        staging.record = picture.report
    return f"{', '.join(path.name for path in wanted.values())} made from {job.pictures['dng'].name}, which was there"


def _write(job: Job, wanted: dict[str, Path], picture: Picture, folder: Path) -> None:
    """The first, which the disk holds up, is written while the others, which must be computed, are."""
    from burstsr.cli.pictures import write_picture

    first, *others = wanted.items()
    with ThreadPoolExecutor(1, thread_name_prefix="burstsr-write") as pool:
        begun = pool.submit(write_picture, folder / first[1].name, first[0], picture, job.settings.finish)
        for kind, path in others:
            write_picture(folder / path.name, kind, picture, job.settings.finish)
        begun.result()


def _announce(progress: Progress | None) -> None:
    from burstsr.ground import compiling

    writing = _Writing(progress)
    compiling.watch(writing)
    writing.compiling(False)


class _Writing:
    """Says on the bar that the burst is being written, or that what finishes pictures is being compiled."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def compiling(self, begun: bool) -> None:
        from burstsr.record import COMPILING

        if self._progress:
            self._progress(COMPILING if begun else "write", 0, 1)
