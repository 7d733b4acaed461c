"""Results of the same frames under another name: a folder that got a second burst, or names of an earlier version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from burstsr.batch.job import Job, recorded


def same_frames_elsewhere(jobs: Sequence[Job], bursts: Sequence[str]) -> dict[str, Path]:
    """Find records in the jobs' folders made from a job's frames under a name that no burst has now, by the job's name.

    bursts: names of all bursts of the inputs. Frames are the same if names, sizes and times agree.
    """
    current = {name.casefold() for name in bursts}
    found: dict[str, Path] = {}
    for out in {job.out for job in jobs}:
        of = {tuple(job.fingerprints): job.name for job in jobs if job.out == out}
        for record in sorted(out.glob("*.json")):
            old = None if record.stem.casefold() in current else recorded(record, "fingerprints")
            name = of.get(tuple(old)) if isinstance(old, list) and all(isinstance(f, str) for f in old) else None
            if name is not None:
                found.setdefault(name, record)
    return found
