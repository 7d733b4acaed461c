"""One burst, from its frames' paths to its finished files. What `process` and `demo` run, here, in a worker process or on another machine."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from burstsr.cli.fallback import FALLBACK
from burstsr.cli.known import Known, prepared
from burstsr.cli.resume import changed_frames, check_room, result_files, settled
from burstsr.cli.staging import Claim, claimed
from burstsr.files.owned import ResultFiles
from burstsr.ground.errors import BurstsrError, BusyError, InputFileError
from burstsr.settings import Settings

if TYPE_CHECKING:
    from burstsr.cli.damage import Sound
    from burstsr.ground.burst import Burst, Picture

log = logging.getLogger(__name__)
SUFFIX = {"dng": ".dng", "jpg": ".jpg", "tiff": ".tif", "tiff32": ".linear.tif", "png": ".png", "exr": ".exr"}
ALWAYS = ("dng", "jpg")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Job:
    """A burst to process. name: of the burst and of its files. formats: keys of SUFFIX, ALWAYS included.

    marks: what tells each frame from another of its name. threads: 0 = all cores. known: of the camera and its motion. fallback: of
    `cli.fallback.FALLBACKS`. overwrite: whether results that are there are redone.
    """

    name: str
    paths: tuple[Path, ...]
    out: Path
    formats: tuple[str, ...]
    settings: Settings
    marks: tuple[str, ...]
    threads: int = 0
    known: Known = field(default_factory=Known)
    fallback: str = FALLBACK
    overwrite: bool = False

    @property
    def pictures(self) -> dict[str, Path]:
        """Where each format goes."""
        return {f: self.out / (self.name + SUFFIX[f]) for f in self.formats}

    @property
    def record(self) -> Path:
        """The JSON that is written last: with it, the burst is done."""
        return self.out / (self.name + ".json")

    @property
    def outputs(self) -> tuple[Path, ...]:
        """All files of the burst, the record last."""
        return (*self.pictures.values(), self.record)

    @property
    def files(self) -> ResultFiles:
        """The burst's files, and the record that names them."""
        return result_files(self.out, self.name)

    def other_frames(self) -> str:
        """Why the files that are there must not count as this burst's: they are made of other frames. '' if they may."""
        old = recorded(self.record, "frames_read")
        if old is None or old == list(self.marks):
            return ""
        what = changed_frames(old, self.marks)
        return f"{self.record} is of other frames ({what}); --overwrite redoes it, or choose another output folder"

    def other_settings(self) -> bool:
        """Whether the files that are there were made with other settings."""
        return recorded(self.record, "settings_asked") not in (None, json.loads(json.dumps(self.asked)))

    def damaged(self) -> tuple[str, ...]:
        """Why frames are not in the result that is there, one reason for each."""
        reasons = recorded(self.record, "damaged_frames")
        return tuple(map(str, reasons)) if isinstance(reasons, list) else ()

    @property
    def asked(self) -> dict[str, Any]:
        """Settings and files that were asked for, ready for JSON."""
        return {**asdict(self.settings), **self.known.plain(), "fallback": self.fallback}


def recorded(record: Path, name: str) -> Any:  # noqa: ANN401  any JSON
    """What a result's record says under `name`; None where there is no record or it says nothing."""
    try:
        return json.loads(record.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


@dataclass(frozen=True)
class Outcome:
    """What became of a job. reason: why it failed or was skipped. outputs: its files, when there are any. advice: what to do better
    next time. damaged: why frames are not in the result, one reason for each.
    """

    name: str
    status: Literal["done", "skipped", "failed", "planned"]
    frames: int
    reason: str = ""
    outputs: tuple[Path, ...] = ()
    seconds: float = 0.0
    advice: str = ""
    damaged: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "outputs": [str(p) for p in self.outputs], "seconds": round(self.seconds, 3)}


class Reader:
    """Reads bursts of jobs that are done in turn: the next one while one is written, so that no more than two are in memory, one without its merge."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._next = dict(pairwise(job.name for job in jobs))
        self._jobs = {job.name: job for job in jobs}
        self._begun: dict[str, Future[Burst]] = {}

    def take(self, job: Job) -> Burst:
        """The job's burst. Raises what `read_burst` raises."""
        from burstsr.files.discover import read_burst

        begun = self._begun.pop(job.name, None)
        return begun.result() if begun else read_burst(job.paths)

    def drop(self, job: Job) -> None:
        """The job is not done: its burst, where it is being read, is not needed."""
        self._begun.pop(job.name, None)

    def begin_after(self, job: Job) -> None:
        """Begin to read the burst of the job after this one, on another thread."""
        from burstsr.files.discover import read_burst

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
        return Outcome(job.name, "failed", len(job.paths), f"unexpected {type(error).__name__}: {error} (-v shows where)")
    seconds = time.perf_counter() - start
    return Outcome(job.name, "done", len(job.paths) - len(damaged), advice=advice, outputs=job.outputs, seconds=seconds, damaged=damaged)


def _run(job: Job, progress: Progress | None, reader: Reader, claim: Claim) -> tuple[str, tuple[str, ...]]:
    """Do the job; advice, and why frames are left out."""
    from burstsr.cli.addition import developed
    from burstsr.cli.writing import add_formats, write_outputs
    from burstsr.ground.threads import set_threads

    if job.threads:
        set_threads(job.threads)
    if progress:
        progress("read", 0, 1)
    earlier = developed(job)
    if earlier is not None:
        reader.drop(job)
        return add_formats(job, earlier, claim, progress), job.damaged()
    picture, read = _merged(job, progress, reader)
    reader.begin_after(job)
    write_outputs(job, picture, read, claim, progress)
    damaged: Any = picture.report["damaged_frames"]
    for name in ("reference", "frames", "coverage", "noise", "seconds"):
        log.info("%s: %s: %s", job.name, name, picture.report.get(name))
    return str(picture.report.get("advice") or ""), tuple(damaged)


def _merged(job: Job, progress: Progress | None, reader: Reader) -> tuple[Picture, float]:
    """The job's picture, without frames that turn out to be damaged, and the seconds that reading took."""
    from burstsr.cli.damage import Sound, without_damaged_frames

    try:
        return _picture(Sound(job), partial(reader.take, job), progress)
    except InputFileError as error:
        why = str(error)
    sound, burst = without_damaged_frames(job, why)  # out of the handler, whose traceback holds the memory of what was begun
    log.info("%s: begun again without damaged frames: %s", job.name, "; ".join(sound.reasons))
    held = [burst]
    del burst
    return _picture(sound, held.pop, progress)


def _picture(sound: Sound, read: Callable[[], Burst], progress: Progress | None) -> tuple[Picture, float]:
    """The picture of the burst that `read` gives, and the seconds that reading took."""
    from burstsr.cli import fallback
    from burstsr.pipeline import super_resolve

    start = time.perf_counter()
    ready = prepared(sound.job.known, read(), sound.job.settings, sound.omitted)
    seconds = time.perf_counter() - start
    burst, settings, flows, defects, told = [ready.burst], ready.settings, ready.flows, ready.defects, ready.told
    del ready
    picture = super_resolve(burst.pop(), settings, progress, flows, defects)  # nobody else holds the burst: its memory is for the writers
    why = fallback.reason(picture, settings.scale)
    if why:
        picture = fallback.applied(picture, sound.job, why, progress)
    report = _with_sources(picture.report, told) if told else picture.report
    return replace(picture, report={**report, "damaged_frames": list(sound.reasons)}), seconds


def _with_sources(report: Mapping[str, Any], told: dict[str, str]) -> dict[str, Any]:
    """The report with what was known beforehand, and from where."""
    noise = {**report["noise"], "source": f"profile {told['noise']}"} if "noise" in told else report["noise"]
    return {**report, "noise": noise, "known": told}
