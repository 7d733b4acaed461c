"""Bursts with frames whose pixels turn out to be damaged: only these frames are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from burstsr.core.errors import BurstError, InputFileError
from burstsr.io.pages import file_of

if TYPE_CHECKING:
    from burstsr.batch.job import Job
    from burstsr.core.burst import Burst


@dataclass(frozen=True)
class Sound:
    """The remaining part of a job. job: with the valid frames only. omitted: indices, among all, of the others. reasons: one for each."""

    job: Job
    omitted: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()


def without_damaged_frames(job: Job, why: str) -> tuple[Sound, Burst]:
    """Return the job without the frames that cannot be decoded, and its burst.

    why: the original error, which is raised again, as InputFileError, where no frame is damaged. A missing file does not count as damaged: the
    burst then fails, and can be processed when the file is back. Raises BurstError where no frame is left, or where the --reference is damaged.
    """
    from burstsr.core.burst import Burst
    from burstsr.io.lazy_frames import read_sound_frames

    frames, damaged = read_sound_frames(job.paths)
    if not damaged or not all(file_of(problem.path).exists() for problem in damaged):
        raise InputFileError(why)
    reasons = {problem.path: problem.reason for problem in damaged}
    if not frames:
        raise BurstError(f"no frame can be read: {damaged[0].reason}" + (f" (and {len(damaged) - 1} more)" if len(damaged) > 1 else ""))
    omitted = tuple(n for n, path in enumerate(job.paths) if path in reasons)
    index = job.settings.reference
    if index in omitted:
        raise BurstError(f"the reference frame is damaged: {reasons[job.paths[index]]}; choose another --reference, or auto")
    settings = replace(job.settings, reference=None if index is None else index - sum(n < index for n in omitted))
    sound = replace(job, paths=tuple(frame.info.path for frame in frames), settings=settings)
    return Sound(sound, omitted, tuple(reasons[job.paths[n]] for n in omitted)), Burst(job.name, frames)
