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
from burstsr.cli.staging import staged
from burstsr.ground.errors import BurstsrError, InputFileError
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
    `cli.fallback.FALLBACKS`.
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

    def done(self) -> bool:
        """Whether all files are there."""
        return all(path.is_file() for path in self.outputs)

    def other_frames(self) -> str:
        """Why the files that are there must not count as this burst's: they are made of other frames. '' if they may."""
        old = recorded(self.record, "frames_read")
        if old is None or old == list(self.marks):
            return ""
        return f"{self.record} is of other frames; --overwrite replaces it, or choose another folder"

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
    except (OSError, ValueError, KeyError, TypeError):
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
    try:
        advice, damaged = _run(job, progress, reader or Reader([job]))
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


def _run(job: Job, progress: Progress | None, reader: Reader) -> tuple[str, tuple[str, ...]]:
    """Do the job; advice, and why frames are left out."""
    from burstsr.ground import compiling
    from burstsr.ground.threads import set_threads

    if job.threads:
        set_threads(job.threads)
    if progress:
        progress("read", 0, 1)
    picture, read = _merged(job, progress, reader)
    reader.begin_after(job)
    writing = _Writing(progress)
    compiling.watch(writing)
    writing.compiling(False)
    write_outputs(job, picture, read)
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


class _Writing:
    """Says on the bar that the burst is being written, or that what finishes pictures is being compiled."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    def compiling(self, begun: bool) -> None:
        from burstsr.record import COMPILING

        if self._progress:
            self._progress(COMPILING if begun else "write", 0, 1)


def write_outputs(job: Job, picture: Picture, read_seconds: float) -> None:
    """Write all files of the burst; those that were there stay until the new ones are whole. Raises OutputError.

    The first, which the disk holds up, is written while the others, which must be computed, are.
    """
    from burstsr.cli.pictures import write_picture

    start = time.perf_counter()
    first, *others = job.pictures.items()
    with staged(job.out, job.name, [path.name for path in job.outputs]) as folder:
        with ThreadPoolExecutor(1, thread_name_prefix="burstsr-write") as pool:
            begun = pool.submit(write_picture, folder / first[1].name, first[0], picture, job.settings.finish)
            for kind, path in others:
                write_picture(folder / path.name, kind, picture, job.settings.finish)
            begun.result()
        timed: Any = picture.report["seconds"]
        seconds = {"read": round(read_seconds, 3), **timed, "write": round(time.perf_counter() - start, 3)}
        record = {**picture.report, "burst": job.name, "seconds": seconds, "frames_read": job.marks, "settings_asked": job.asked}
        (folder / job.record.name).write_text(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False), encoding="utf-8")
