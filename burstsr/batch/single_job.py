"""Processing of images by `burstsr single`: output paths, resuming and running, for single images and folders alike."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from burstsr.batch.atomic_set import Claim, claimed
from burstsr.batch.resume import unlisted
from burstsr.batch.single_names import result_files
from burstsr.batch.single_provenance import describe
from burstsr.core.errors import BurstsrError, BusyError, InputFileError, SettingsError
from burstsr.core.schema import SCHEMA_VERSION, with_both_names
from burstsr.io.owned import ResultFiles
from burstsr.profiles.apply import CalibrationInputs

if TYPE_CHECKING:
    from single.inference import Request, Upscaler

log = logging.getLogger(__name__)
FORMATS = {"dng": ".dng", "png": ".png", "tiff": ".tif", "jpg": ".jpg", "exr": ".exr"}
_OWN = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".jpg": "jpg", ".jpeg": "jpg"}  # output format of display images; others become PNG
_RAW_ONLY = ("dng", "exr")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """An image to upscale. name: of its source, for messages. outputs: by format. clash: why it cannot be processed, or ''.

    overwrite: replace existing results. known: calibration of raw files.
    """

    name: str
    source: Path
    raw: bool
    outputs: dict[str, Path]
    clash: str = ""
    overwrite: bool = False
    known: CalibrationInputs = field(default_factory=CalibrationInputs)

    @property
    def record(self) -> Path:
        """Return the path of the JSON that is written last: with it, the image is complete."""
        return self.files.folder / self.files.record

    @property
    def files(self) -> ResultFiles:
        """Return the image's files, and the record that lists them, named after the first requested format."""
        return result_files(list(self.outputs.values()))

    @property
    def wanted(self) -> dict[str, Path]:
        """Return the formats to write."""
        return self.outputs if self.overwrite else unlisted(self.files, self.outputs)

    @property
    def mark(self) -> str:
        """Identify the source among files of the same name."""
        return f"{self.source.name}, {self.source.stat().st_size} bytes"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task. model: that upscaled it."""

    name: str
    status: Literal["done", "skipped", "failed"]
    reason: str = ""
    model: str = ""
    outputs: tuple[Path, ...] = ()
    seconds: float = 0.0
    record: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome ready for JSON."""
        found = {"name": self.name, "status": self.status, "reason": self.reason, "outputs": [str(p) for p in self.outputs], "seconds": round(self.seconds, 3)}
        return {**found, **{key: (self.record or {}).get(key) for key in ("model", "scale", "provenance")}}


def plan(inputs: Sequence[Path], out: Path, formats: Sequence[str]) -> list[Task]:
    """Return a task for every given image, and for every one in the given folders, keeping sub-folders. Raises SettingsError where there are none."""
    from burstsr.io.discover import RAW_SUFFIXES

    sources = _sources(inputs, out)
    if not sources:
        raise SettingsError(f"no images in {', '.join(map(str, inputs))}")
    to_file = len(inputs) == 1 and inputs[0].is_file() and out.suffix.lower() in {*FORMATS.values(), *_OWN} and not out.is_dir()
    if out.is_file() and not to_file:
        raise SettingsError(f"--output {out}: is a file; must be a folder")
    tasks: list[Task] = []
    taken: dict[str, Path] = {}
    for source, below in sources:
        raw = source.suffix.lower() in RAW_SUFFIXES
        if to_file:
            kind = next((k for k, suffix in FORMATS.items() if suffix == out.suffix.lower()), None) or _OWN[out.suffix.lower()]
            if formats and list(formats) != [kind]:
                raise SettingsError(f"--output {out} is {kind}, but --format is {', '.join(formats)}")
            outputs = {kind: out}
        else:
            kinds = dict.fromkeys(formats) or {"dng" if raw else _OWN.get(source.suffix.lower(), "png"): None}
            outputs = {kind: out / below.with_suffix(FORMATS[kind]) for kind in kinds}
        tasks.append(Task(str(below), source, raw, outputs, _clash(source, raw, outputs, taken)))
    return tasks


def _sources(inputs: Sequence[Path], out: Path) -> list[tuple[Path, Path]]:
    """Return images with their paths relative to the given folder; excludes files in `out` or, where that is the folder itself, results."""
    from burstsr.io.discover import RAW_SUFFIXES, natural_order
    from burstsr.io.display import READ
    from burstsr.io.folders import files_below

    found: dict[Path, Path] = {}
    out = out.resolve()
    for place in inputs:
        if place.is_file():
            found.setdefault(place, Path(place.name))
            continue
        inside = [p for p in files_below(place) if p.suffix.lower() in {*RAW_SUFFIXES, *READ} and p.is_file()]
        below = {p: p.relative_to(place) for p in sorted(inside, key=natural_order)}
        top = place.resolve()
        for path, name in below.items():
            made = _is_result(path) if out == top else out in (top / name).parents
            if not made and not any(part.startswith(".") for part in name.parts):
                found.setdefault(path, name)
    return list(found.items())


def _is_result(path: Path) -> bool:
    """Whether a record of `single` beside the file lists it."""
    files = result_files([path])
    return path.name in files.listed(files.read())


def _clash(source: Path, raw: bool, outputs: dict[str, Path], taken: dict[str, Path]) -> str:
    """Return why a task cannot be run; else reserve its outputs."""
    only = [kind for kind in _RAW_ONLY if kind in outputs and not raw]
    if only:
        return f"{source}: format of a display image must be png, tiff or jpg, not {only[0]}"
    for path in outputs.values():
        if path.exists() and path.samefile(source):
            return f"{source}: would be overwritten by its own result; choose another folder or format"
        if str(path).casefold() in taken:
            return f"{source}: {path} would overwrite the result of {taken[str(path).casefold()]}; choose other formats or folders"
    taken.update({str(path).casefold(): source for path in outputs.values()})
    return ""


def asked(request: Request, known: CalibrationInputs) -> dict[str, Any]:
    """Return the options that determine the image."""
    found: dict[str, Any] = {"model": request.model, "scale": request.scale, "blend": request.blend, "partner": request.partner}
    more = {"back_projection": request.back_projection, "noise": request.noise, "blur": request.blur}
    named = {name: value for name, value in more.items() if value not in ("", None, 0.0) or (name == "noise" and value == 0)}
    faces = {"faces": [list(face) for face in request.faces]} if request.faces else {}
    return found | named | faces | known.to_dict()


def settled(task: Task, wanted: dict[str, Any], *, thorough: bool = False) -> Outcome | None:
    """Return the outcome of a task that must not, or need not, be run; else None. thorough: as in `ResultFiles.obstacle`."""
    if task.clash:
        return Outcome(task.name, "failed", task.clash)
    files, record, outputs = task.files, task.files.read(), task.wanted
    if record is not None and not task.overwrite:
        if record["source"] != task.mark:
            return Outcome(task.name, "failed", f"{task.record} was made from a different image; use --overwrite to replace it, or choose another folder")
        if record["asked"] != wanted:
            return Outcome(task.name, "failed", f"{task.record} was made by another model or scale; use --overwrite to replace it, or choose another folder")
        if not outputs:
            known = {key: record.get(key) for key in ("model", "scale", "provenance")}
            return Outcome(task.name, "skipped", "already processed", outputs=(*task.outputs.values(), task.record), record=known)
    reason = files.obstacle([*(path.name for path in outputs.values()), files.record], thorough=thorough)
    return Outcome(task.name, "failed", reason) if reason else None


def upscale(task: Task, request: Request, upscaler: Upscaler, progress: Progress | None = None) -> Outcome:
    """Run a task. Any error becomes a failed Outcome, so that others continue; KeyboardInterrupt propagates."""
    start = time.perf_counter()
    try:
        with claimed(task.files) as claim:
            there = settled(task, asked(request, task.known), thorough=True)  # another run may have finished it
            if there is not None:
                return there
            record = _upscale(task, request, upscaler, progress, claim)
    except BusyError as error:
        return Outcome(task.name, "skipped", str(error))
    except BurstsrError as error:
        log.debug("%s", task.name, exc_info=True)
        return Outcome(task.name, "failed", str(error))
    except MemoryError:
        return Outcome(task.name, "failed", "not enough memory; try a smaller --scale")
    except Exception as error:  # a bug must not affect the other images
        log.info("%s", task.name, exc_info=True)
        return Outcome(task.name, "failed", f"unexpected {type(error).__name__}: {error} (-v shows the traceback)")
    outputs = (*task.outputs.values(), task.record)
    return Outcome(task.name, "done", "", describe(upscaler.model), outputs, time.perf_counter() - start, record)


def _upscale(task: Task, request: Request, upscaler: Upscaler, progress: Progress | None, claim: Claim) -> dict[str, Any]:
    from importlib.metadata import version

    from burstsr.batch.single_outputs import upscale_display, upscale_raw
    from burstsr.report import versions

    start = time.perf_counter()
    wanted = task.wanted
    with claim.staged([path.name for path in wanted.values()], adds=not task.overwrite) as staging:
        outputs = {kind: staging.folder / path.name for kind, path in wanted.items()}
        try:
            if task.raw:
                done = upscale_raw(task.source, outputs, upscaler, progress, task.known)
            else:
                done = upscale_display(task.source, outputs, upscaler, progress)
        except SettingsError as error:
            raise InputFileError(f"{task.source}: {error}") from error
        facts = {
            "schema_version": SCHEMA_VERSION,
            "source": task.mark,
            "asked": asked(request, task.known),
            "model": upscaler.model.to_dict(),
            "scale": upscaler.scale,
            "shape": list(done.shape),
            "frames_left": done.frames_left,
            "back_projection": upscaler.back_projection,
            "provenance": done.provenance.to_dict() if done.provenance else None,
            **({"known": done.known} if done.known else {}),
            "seconds": round(time.perf_counter() - start, 3),
            "versions": versions() | ({"torch": version("torch")} if upscaler.model.learned else {}),
        }
        staging.record = with_both_names(facts)
    return dict(staging.record)
