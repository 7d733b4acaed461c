"""Processing of one burst, from the paths of its frames to its finished files; in this process, a worker process or on another machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from burstsr.batch.atomic_set import Claim, claimed
from burstsr.batch.job import REPORT, Job, Outcome, Progress
from burstsr.batch.passing import may_pass
from burstsr.batch.resume import check_room, settled
from burstsr.core.errors import BurstsrError, BusyError, InputFileError
from burstsr.profiles.apply import prepared

if TYPE_CHECKING:
    from burstsr.batch.damage import Sound
    from burstsr.core.burst import Burst
    from burstsr.core.report import Report
    from burstsr.core.result import Result
    from burstsr.profiles.apply import LensCheck

log = logging.getLogger(__name__)


class Reader:
    """Reads the bursts of consecutive jobs: the next one while one is written, so that at most two are in memory, one of them without its merge."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._next = dict(pairwise(job.name for job in jobs))
        self._jobs = {job.name: job for job in jobs}
        self._begun: dict[str, Future[Burst]] = {}

    def take(self, job: Job) -> Burst:
        """Return the job's burst. Raises as `read_burst`."""
        from burstsr.io.discover import read_burst

        begun = self._begun.pop(job.name, None)
        return begun.result() if begun else read_burst(job.paths)

    def drop(self, job: Job) -> None:
        """Discard the burst of a job that is not run."""
        self._begun.pop(job.name, None)

    def begin_after(self, job: Job) -> None:
        """Start reading the burst of the job after this one, on another thread."""
        from burstsr.io.discover import read_burst

        following = self._next.get(job.name)
        if following is not None:
            pool = ThreadPoolExecutor(1, thread_name_prefix="burstsr-ahead")
            self._begun[following] = pool.submit(read_burst, self._jobs[following].paths)
            pool.shutdown(wait=False)


def run(job: Job, progress: Progress | None = None, reader: Reader | None = None) -> Outcome:
    """Run the job. Any error becomes a failed Outcome, so that other bursts continue; KeyboardInterrupt propagates.

    reader: of the sequence of jobs that contains this one.
    """
    from burstsr.core.large_arrays import arrays_on_disk

    start = time.perf_counter()
    reader = reader or Reader([job])
    try:
        with claimed(job.files) as claim, arrays_on_disk(job.out, job.images_on_disk):
            there = settled(job, thorough=True)  # another run may have finished since the jobs were planned
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
        return Outcome(job.name, "failed", len(job.paths), str(error), may_pass=may_pass(error))
    except MemoryError:
        return Outcome(job.name, "failed", len(job.paths), "not enough memory; try fewer --jobs, a smaller --scale, or --memory", may_pass=True)
    except Exception as error:  # a bug must not affect the other bursts
        log.info("burst %s", job.name, exc_info=True)
        reason = f"unexpected {type(error).__name__}: {error} (-v shows the traceback)"
        return Outcome(job.name, "failed", len(job.paths), reason, may_pass=may_pass(error))
    seconds = time.perf_counter() - start
    return Outcome(job.name, "done", len(job.paths) - len(damaged), advice=advice, outputs=job.outputs, seconds=seconds, damaged=damaged)


def _run(job: Job, progress: Progress | None, reader: Reader, claim: Claim) -> tuple[str, tuple[str, ...]]:
    """Run the job; return advice, and why frames are left out."""
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
    """Return the job's result, without frames that turn out to be damaged, and the seconds of reading."""
    from burstsr.batch.damage import Sound, without_damaged_frames

    try:
        return _image(Sound(job), partial(reader.take, job), progress)
    except InputFileError as error:
        why = str(error)
    sound, burst = without_damaged_frames(job, why)  # outside the handler, whose traceback keeps memory of the failed attempt
    log.info("%s: restarted without damaged frames: %s", job.name, "; ".join(sound.reasons))
    held = [burst]
    del burst
    return _image(sound, held.pop, progress)


def _image(sound: Sound, read: Callable[[], Burst], progress: Progress | None) -> tuple[Result, float]:
    """Return the result of the burst that `read` returns, and the seconds of reading."""
    from burstsr.batch import fallback
    from burstsr.batch.calibration_frames import calibration_of
    from burstsr.demosaic.order_check import check_order
    from burstsr.pipeline import super_resolve

    start = time.perf_counter()
    ready = prepared(sound.job.known, read(), sound.job.settings, sound.omitted, calibration_of(sound.job.known), _check_lens)
    seconds = time.perf_counter() - start
    doubt = check_order(ready.burst.frames[0])
    burst, settings, flows, defects, sources = [ready.burst], ready.settings, ready.flows, ready.defects, ready.sources
    facts = {} if ready.lens is None else {"lens": ready.lens.to_dict()}
    kept = ready if fallback.is_learned(sound.job.fallback) else None
    del ready
    maps = not {"fits", REPORT}.isdisjoint(sound.job.formats)  # which hold them
    # unless kept, the only reference: its memory is free for the writers
    image = super_resolve(burst.pop(), settings, progress, flows, defects, keep_maps=maps)
    why = fallback.reason(image, settings.scale)
    if why:
        image = fallback.applied(image, sound.job, why, kept, progress)
    report = _with_sources(image.report, sources) if sources else image.report
    if doubt:
        report = report.with_facts(advice="; ".join(text for text in (doubt, report["advice"]) if text))
    return replace(image, report=report.with_facts(damaged_frames=list(sound.reasons), **facts)), seconds


def _check_lens(burst: Burst, sigma_px: float) -> LensCheck:
    from calibration.lens_check import check_lens

    return check_lens(burst, sigma_px)


def _with_sources(report: Report, sources: dict[str, str]) -> Report:
    """Add the calibration used, and its sources, to the report."""
    noise = {**report["noise"], "source": f"profile {sources['noise']}"} if "noise" in sources else report["noise"]
    return report.with_facts(noise=noise, known=sources)
