"""Resuming: which results of a burst exist, and which files must not be replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from burstsr.batch.job import Job, Outcome
from burstsr.batch.locks import check_space
from burstsr.io.owned import OUTPUTS, ResultFiles

# maximum bytes per output pixel
_PIXEL_BYTES = {"dng": 6.0, "jpg": 2.0, "tiff": 6.0, "png": 6.0, "exr": 6.0, "fits": 36.0, "report": 2.0}
_MOST_BYTES = 12.0  # three floats


def missing(job: Job) -> dict[str, Path]:
    """Return formats, with their paths, that the burst's record does not list, or whose files are missing; all without a record."""
    return unlisted(job.files, job.images)


def unlisted(files: ResultFiles, outputs: Mapping[str, Path]) -> dict[str, Path]:
    """Return the `outputs`, by format, that the record does not list, or that are missing; all without a record. A record without a list has all."""
    record = files.read()
    there = files.listed(record, OUTPUTS)
    lists = record is None or OUTPUTS in record
    return {kind: path for kind, path in outputs.items() if (lists and path.name not in there) or not path.is_file()}


def to_write(job: Job) -> dict[str, Path]:
    """Return the formats that the job has to write, and their paths."""
    return job.images if job.overwrite else missing(job)


def settled(job: Job, *, thorough: bool = False) -> Outcome | None:
    """Return the outcome of a burst that need not, or must not, be processed; else None. thorough: as in `ResultFiles.obstacle`."""
    count = len(job.paths)
    wanted = to_write(job)
    if not job.overwrite and job.files.read() is not None:
        reason = job.other_frames()
        if reason:
            return Outcome(job.name, "failed", count, reason)
        if not wanted:
            note = "already processed with other settings; use --overwrite to replace" if job.other_settings() else "already processed"
            note += _changed_since(job)
            return Outcome(job.name, "skipped", count, note, job.outputs, damaged=job.damaged())
        if job.other_settings():
            names = ", ".join(path.name for path in wanted.values())
            reason = f"{names} is missing, and {job.record} was made with other settings; use --overwrite to process it again, or choose another output folder"
            return Outcome(job.name, "failed", count, reason)
    reason = job.files.obstacle([*(path.name for path in wanted.values()), job.record.name], thorough=thorough)
    return Outcome(job.name, "failed", count, reason) if reason else None


def _changed_since(job: Job) -> str:
    """Return a note of files of a finished burst whose size is not that of the record: edited, or damaged; '' where all are as they were written."""
    listed = job.files.listed(job.files.read(), OUTPUTS)
    sizes = {path: listed[path.name].get("bytes") for path in job.images.values() if path.name in listed}
    changed = [path.name for path, size in sizes.items() if size is not None and path.is_file() and path.stat().st_size != size]
    return f"; {', '.join(changed)} was edited, replaced or damaged since" if changed else ""


def needed_bytes(job: Job, shape: tuple[int, int]) -> int:
    """Estimate the maximum disk space of the results of frames of `shape` (height, width)."""
    pixels = shape[0] * shape[1] * job.settings.scale**2
    return round(pixels * sum(_PIXEL_BYTES.get(kind, _MOST_BYTES) for kind in to_write(job))) + 100_000


def check_room(job: Job) -> None:
    """Raise OutputError where the disk has too little space for the results; InputFileError for an unreadable first frame."""
    from burstsr.io.raw import read_info

    check_space(job.out, needed_bytes(job, read_info(job.paths[0]).shape), f"burst {job.name}")
