"""Which bursts there are to do, which are done, and which must not be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.cli.fallback import FALLBACK
from burstsr.cli.grouping import refusal
from burstsr.cli.job import Job, Outcome
from burstsr.cli.known import Known
from burstsr.ground.errors import SettingsError

if TYPE_CHECKING:
    from burstsr.files.discover import BurstFiles
    from burstsr.settings import Settings


def plan(
    bursts: Sequence[BurstFiles],
    out: Path,
    formats: Sequence[str],
    settings: Sequence[Settings],
    *,
    overwrite: bool,
    known: Known | None = None,
    fallback: str = FALLBACK,
) -> tuple[list[Job], list[Outcome]]:
    """Jobs to do, and outcomes that stand already: bursts skipped because they are done, failed because they cannot be done.

    settings: of each burst. Raises SettingsError where an output would overwrite a frame, or no burst at all has the frame N of --reference.
    """
    jobs = [replace(_job(burst, out, formats, own), known=known or Known(), fallback=fallback) for burst, own in zip(bursts, settings, strict=True)]
    _no_overwritten_source(jobs)
    if jobs and all(_lacks_reference(job) for job in jobs):
        raise SettingsError(_lacks_reference(jobs[0]))
    todo, outcomes = [], []
    for burst, job in zip(bursts, jobs, strict=True):
        reason = refusal(burst) or _lacks_reference(job)
        if not reason and not overwrite and job.done():
            reason = job.other_frames()
            if not reason:
                note = "done with other settings; --overwrite redoes it" if job.other_settings() else "done already"
                outcomes.append(Outcome(job.name, "skipped", len(job.paths), note, job.outputs, damaged=job.damaged()))
                continue
        if reason:
            outcomes.append(Outcome(job.name, "failed", len(job.paths), reason))
        else:
            todo.append(job)
    return todo, outcomes


def _job(burst: BurstFiles, out: Path, formats: Sequence[str], settings: Settings) -> Job:
    paths = tuple(info.path for info in burst.infos)
    marks = tuple(f"{i.path.name}, {i.path.stat().st_size} bytes, {i.time.isoformat() if i.time else 'no time'}" for i in burst.infos)
    return Job(burst.name, paths, out, tuple(formats), settings, marks)


def _lacks_reference(job: Job) -> str:
    index = job.settings.reference
    if index is None or index < len(job.paths):
        return ""
    return f"burst {job.name} has {len(job.paths)} frames: --reference must be auto or between 0 and {len(job.paths) - 1}, not {index}"


def _no_overwritten_source(jobs: Sequence[Job]) -> None:
    """Sources are compared as files, so links and upper or lower case do not deceive."""
    sources = {(s.st_dev, s.st_ino): path for job in jobs for path in job.paths for s in [path.stat()]}
    for job in jobs:
        for path in job.outputs:
            if path.exists() and (path.stat().st_dev, path.stat().st_ino) in sources:
                raise SettingsError(f"--output {job.out}: burst {job.name} would overwrite the frame {path}; choose another folder")
