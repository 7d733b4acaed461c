"""One burst, from its frames' paths to its finished files. What `process` and `demo` run, here, in a worker process or on another machine."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from burstsr.cli.staging import staged
from burstsr.ground.errors import BurstsrError
from burstsr.settings import Settings

if TYPE_CHECKING:
    from burstsr.ground.burst import Picture

log = logging.getLogger(__name__)
SUFFIX = {"dng": ".dng", "jpg": ".jpg", "tiff": ".tif", "png": ".png", "exr": ".exr"}
ALWAYS = ("dng", "jpg")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Job:
    """A burst to process. name: of the burst and of its files. formats: keys of SUFFIX, ALWAYS included.

    marks: what tells each frame from another of its name. threads: 0 = all cores.
    """

    name: str
    paths: tuple[Path, ...]
    out: Path
    formats: tuple[str, ...]
    settings: Settings
    marks: tuple[str, ...]
    threads: int = 0

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
        return recorded(self.record, "settings_asked") not in (None, json.loads(json.dumps(asdict(self.settings))))


def recorded(record: Path, name: str) -> Any:  # noqa: ANN401  any JSON
    """What a result's record says under `name`; None where there is no record or it says nothing."""
    try:
        return json.loads(record.read_text(encoding="utf-8"))[name]
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class Outcome:
    """What became of a job. reason: why it failed or was skipped. outputs: its files, when there are any. advice: what to do better
    next time.
    """

    name: str
    status: Literal["done", "skipped", "failed", "planned"]
    frames: int
    reason: str = ""
    outputs: tuple[Path, ...] = ()
    seconds: float = 0.0
    advice: str = ""

    def plain(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**asdict(self), "outputs": [str(p) for p in self.outputs], "seconds": round(self.seconds, 3)}


def run(job: Job, progress: Progress | None = None) -> Outcome:
    """Do the job. Whatever goes wrong becomes a failed Outcome, so that the other bursts go on; KeyboardInterrupt passes."""
    start = time.perf_counter()
    try:
        advice = _run(job, progress)
    except BurstsrError as error:
        log.debug("burst %s", job.name, exc_info=True)
        return Outcome(job.name, "failed", len(job.paths), str(error))
    except MemoryError:
        return Outcome(job.name, "failed", len(job.paths), "not enough memory; try fewer --jobs or a smaller --scale")
    except Exception as error:  # a bug of ours must not cost the other bursts
        log.info("burst %s", job.name, exc_info=True)
        return Outcome(job.name, "failed", len(job.paths), f"unexpected {type(error).__name__}: {error} (-v shows where)")
    return Outcome(job.name, "done", len(job.paths), advice=advice, outputs=job.outputs, seconds=time.perf_counter() - start)


def _run(job: Job, progress: Progress | None) -> str:
    from burstsr.files.discover import read_burst
    from burstsr.ground.compiled import set_threads
    from burstsr.pipeline import super_resolve

    if job.threads:
        set_threads(job.threads)
    if progress:
        progress("read", 0, 1)
    picture = super_resolve(read_burst(job.paths), job.settings, progress)
    if progress:
        progress("write", 0, 1)
    write_outputs(job, picture)
    for name in ("reference", "frames", "coverage", "noise", "seconds"):
        log.info("%s: %s: %s", job.name, name, picture.report.get(name))
    return str(picture.report.get("advice") or "")


def write_outputs(job: Job, picture: Picture) -> None:
    """Write all files of the burst; those that were there stay until the new ones are whole. Raises OutputError."""
    from burstsr.cli.pictures import write_picture

    with staged(job.out, job.name, [path.name for path in job.outputs]) as folder:
        for kind, path in job.pictures.items():
            write_picture(folder / path.name, kind, picture, job.settings.finish)
        record = {**picture.report, "burst": job.name, "frames_read": job.marks, "settings_asked": asdict(job.settings)}
        (folder / job.record.name).write_text(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False), encoding="utf-8")
