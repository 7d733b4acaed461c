"""One burst, from its frames' paths to its finished files. What `process` and `demo` run, here, in a worker process or on another machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import Claim, claimed
from burstsr.batch.job import Job, Outcome, Progress
from burstsr.batch.resume import check_room, settled
from burstsr.core.errors import BurstsrError, BusyError, InputFileError
from burstsr.profiles.apply import prepared

if TYPE_CHECKING:
    from burstsr.batch.damage import Sound
    from burstsr.core.burst import Burst
    from burstsr.core.result import Result

log = logging.getLogger(__name__)


class Reader:
    """Reads bursts of jobs that are done in turn: the next one while one is written, so that no more than two are in memory, one without its merge."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._next = dict(pairwise(job.name for job in jobs))
        self._jobs = {job.name: job for job in jobs}
        self._begun: dict[str, Future[Burst]] = {}

    def take(self, job: Job) -> Burst:
        """The job's burst. Raises what `read_burst` raises."""
        from burstsr.io.discover import read_burst

        begun = self._begun.pop(job.name, None)
        return begun.result() if begun else read_burst(job.paths)

    def drop(self, job: Job) -> None:
        """The job is not done: its burst, where it is being read, is not needed."""
        self._begun.pop(job.name, None)

    def begin_after(self, job: Job) -> None:
        """Begin to read the burst of the job after this one, on another thread."""
        from burstsr.io.discover import read_burst

        following = self._next.get(job.name)
        if following is not None:
            pool = ThreadPoolExecutor(1, thread_name_prefix="burstsr-ahead")
            self._begun[following] = pool.submit(read_burst, self._jobs[following].paths)
            pool.shutdown(wait=False)


def run(job: Job, progress: Progress | None = None, reader: Reader | None = None) -> Outcome:
    """Do the job. Whatever goes wrong becomes a failed Outcome, so that the other bursts go on; KeyboardInterrupt passes.

    reader: of all jobs of which this is one, where they are done in turn.
    """
    start = time.perf_counter()
    reader = reader or Reader([job])
    try:
        with claimed(job.files) as claim:
            there = settled(job, thorough=True)  # another run may have been here since the jobs were planned
            if there is None:
                check_room(job)
                advice, damaged = _run(job, progress, reader, claim)
        if there is not None:
            reader.drop(job)
            return there
    except BusyError as error:
        reader.drop(job)
        return Outcome(job.name, "skipped", len(job.paths), str(error))
    except BurstsrError as error:
        log.debug("burst %s", job.name, exc_info=True)
        return Outcome(job.name, "failed", len(job.paths), str(error))
    except MemoryError:
        return Outcome(job.name, "failed", len(job.paths), "not enough memory; try fewer --jobs or a smaller --scale")
    except Exception as error:  # a bug of ours must not cost the other bursts
        log.info("burst %s", job.name, exc_info=True)
        return Outcome(job.name, "failed", len(job.paths), f"unexpected {type(error).__name__}: {error} (-v shows the traceback)")
    seconds = time.perf_counter() - start
    return Outcome(job.name, "done", len(job.paths) - len(damaged), advice=advice, outputs=job.outputs, seconds=seconds, damaged=damaged)


def _run(job: Job, progress: Progress | None, reader: Reader, claim: Claim) -> tuple[str, tuple[str, ...]]:
    """Do the job; advice, and why frames are left out."""
    from burstsr.batch.added_formats import developed
    from burstsr.batch.writing import add_formats, write_outputs
    from burstsr.core.parallel import set_threads

    if job.threads:
        set_threads(job.threads)
    if progress:
        progress("read", 0, 1)
    earlier = developed(job)
    if earlier is not None:
        reader.drop(job)
        return add_formats(job, earlier, claim, progress), job.damaged()
    image, read = _merged(job, progress, reader)
    reader.begin_after(job)
    write_outputs(job, image, read, claim, progress)
    damaged: Any = image.report["damaged_frames"]
    for name in ("reference", "frames", "coverage", "noise", "seconds"):
        log.info("%s: %s: %s", job.name, name, image.report.get(name))
    return str(image.report.get("advice") or ""), tuple(damaged)


def _merged(job: Job, progress: Progress | None, reader: Reader) -> tuple[Result, float]:
    """The job's picture, without frames that turn out to be damaged, and the seconds that reading took."""
    from burstsr.batch.damage import Sound, without_damaged_frames

    try:
        return _image(Sound(job), partial(reader.take, job), progress)
    except InputFileError as error:
        why = str(error)
    sound, burst = without_damaged_frames(job, why)  # out of the handler, whose traceback holds the memory of what was begun
    log.info("%s: restarted without damaged frames: %s", job.name, "; ".join(sound.reasons))
    held = [burst]
    del burst
    return _image(sound, held.pop, progress)


def _image(sound: Sound, read: Callable[[], Burst], progress: Progress | None) -> tuple[Result, float]:
    """The picture of the burst that `read` gives, and the seconds that reading took."""
    from burstsr.batch import fallback
    from burstsr.pipeline import super_resolve

    start = time.perf_counter()
    ready = prepared(sound.job.known, read(), sound.job.settings, sound.omitted)
    seconds = time.perf_counter() - start
    burst, settings, flows, defects, told = [ready.burst], ready.settings, ready.flows, ready.defects, ready.told
    kept = ready if fallback.is_learned(sound.job.fallback) else None
    del ready
    image = super_resolve(burst.pop(), settings, progress, flows, defects)  # unless kept, nobody else holds the burst: its memory is for the writers
    why = fallback.reason(image, settings.scale)
    if why:
        image = fallback.applied(image, sound.job, why, kept, progress)
    report = _with_sources(image.report, told) if told else image.report
    return replace(image, report={**report, "damaged_frames": list(sound.reasons)}), seconds


def _with_sources(report: Mapping[str, Any], told: dict[str, str]) -> dict[str, Any]:
    """The report with what was known beforehand, and from where."""
    noise = {**report["noise"], "source": f"profile {told['noise']}"} if "noise" in told else report["noise"]
    return {**report, "noise": noise, "known": told}
