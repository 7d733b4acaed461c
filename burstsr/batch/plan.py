"""Plan of a run: which bursts to process, which are done, and which cannot be processed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.batch.atomic_set import unfinished
from burstsr.batch.contents import content_of
from burstsr.batch.fallback import FALLBACK
from burstsr.batch.job import NO_TIME, Job, Outcome
from burstsr.batch.resume import settled
from burstsr.core.errors import BurstError, SettingsError
from burstsr.io.pages import file_of
from burstsr.profiles.apply import CalibrationInputs

if TYPE_CHECKING:
    from burstsr.io.discover import BurstFiles
    from burstsr.settings import Settings


@dataclass(frozen=True)
class Request:
    """Options common to all bursts; the fields are those of `Job`."""

    out: Path
    formats: tuple[str, ...]
    threads: int = 0
    known: CalibrationInputs = field(default_factory=CalibrationInputs)
    fallback: str = FALLBACK
    overwrite: bool = False
    memory_limit: int = 0


def plan(bursts: Sequence[BurstFiles], settings: Sequence[Settings], request: Request) -> tuple[list[Job], list[Outcome]]:
    """Return the jobs to run, and the outcomes already known: bursts skipped because they are done, failed because they cannot be processed.

    settings: of each burst. Raises SettingsError where no burst at all has the frame N of --reference.
    """
    jobs = [job_of(burst, own, request) for burst, own in zip(bursts, settings, strict=True)]
    sources = {_identity(file_of(path)): path for job in jobs for path in job.paths}
    if jobs and all(_lacks_reference(job) for job in jobs):
        raise SettingsError(_lacks_reference(jobs[0]))
    todo, outcomes = [], []
    for burst, job in zip(bursts, jobs, strict=True):
        reason = refusal(burst) or _lacks_reference(job) or _lacks_region(job, burst) or _overwritten_source(job, sources)
        outcome = Outcome(job.name, "failed", len(job.paths), reason) if reason else None if unfinished(job.files) else settled(job)
        if outcome is not None:
            outcomes.append(outcome)
        else:
            todo.append(job)
    return todo, outcomes


def job_of(burst: BurstFiles, settings: Settings, request: Request) -> Job:
    """Return the job of a burst. Raises OSError where a file is gone."""
    paths = tuple(info.path for info in burst.infos)
    fingerprints = tuple(f"{i.path.name}, {file_of(i.path).stat().st_size} bytes, {i.time.isoformat() if i.time else NO_TIME}" for i in burst.infos)
    of_file = {file: content_of(file) for file in {file_of(path) for path in paths}}
    contents = tuple(of_file[file_of(path)] for path in paths)
    return Job(burst.name, paths, settings=settings, fingerprints=fingerprints, contents=contents, **vars(request))


def _lacks_reference(job: Job) -> str:
    index = job.settings.reference
    if index is None or index < len(job.paths):
        return ""
    return f"burst {job.name} has {len(job.paths)} frames: --reference must be auto or between 0 and {len(job.paths) - 1}, not {index}"


def _lacks_region(job: Job, burst: BurstFiles) -> str:
    """Return why --crop or --zoom leave nothing of the burst's frames, or ''."""
    from burstsr.core.window import region_of_interest

    try:
        region_of_interest(job.settings.crop, job.settings.zoom, burst.infos[0].shape)
    except SettingsError as error:
        return str(error)
    return ""


def _overwritten_source(job: Job, sources: dict[tuple[int, int], Path]) -> str:
    """Return the frame, of any burst, that the job would overwrite, or ''. Compared as files, so that links and case do not matter."""
    for path in job.outputs:
        if os.path.exists(path) and _identity(path) in sources:
            return f"{path}: would overwrite the frame {sources[_identity(path)]}; choose another output folder"
    return ""


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def refusal(burst: BurstFiles) -> str:
    """Return why the frames are not one burst, or ''."""
    from burstsr.io.consistency import check_burst

    try:
        check_burst(burst.infos)
    except BurstError as error:
        return str(error)
    return ""
