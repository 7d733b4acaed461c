"""Memory: how much bursts need, how much is free, and how many can be processed at the same time."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.batch.job import REPORT
from burstsr.core.parallel import thread_count
from burstsr.core.peak_memory import peak_bytes

if TYPE_CHECKING:
    from burstsr.batch.job import Job
    from burstsr.io.discover import BurstFiles

# of formats whose files are encoded as a whole, per output pixel: pixels and file
_WHOLE_BYTES = {"png": 12.0, "exr": 24.0, "fits": 36.0, REPORT: 3.0}
SHARE = 0.85  # of the free memory that may be used
_CGROUPS = (  # a container's limit, and what of it is used: versions 2 and 1
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
_UNLIMITED = 1 << 60


def needed_bytes(job: Job, shape: tuple[int, int]) -> int:
    """Estimate the peak memory of a job whose frames have `shape` (H, W), in a process of its own."""
    maps = bool({"fits", REPORT} & set(job.formats))
    need = peak_bytes(shape, len(job.paths), job.settings.scale, maps=maps, on_disk=job.images_on_disk)
    if not job.images_on_disk:
        return need
    pixels = shape[0] * shape[1] * job.settings.scale**2
    return need + round(pixels * max((_WHOLE_BYTES[kind] for kind in job.formats if kind in _WHOLE_BYTES), default=0.0))


def placed(jobs: Sequence[Job], bursts: Sequence[BurstFiles], most: int | None) -> list[Job]:
    """Return the jobs, those that need more than `most` bytes with their images on disk; None: all in memory."""
    if most is None:
        return list(jobs)
    shapes = {burst.name: burst.infos[0].shape for burst in bursts}
    return [replace(job, images_on_disk=needed_bytes(job, shapes[job.name]) > most) for job in jobs]


def free_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that processes may still use: of the machine, or of a container's limit; None where the system does not tell.

    root: of the file system, where the numbers are.
    """
    known = [value for value in (_of_machine(root), *_of_container(root / "sys/fs/cgroup")) if value is not None]
    return min(known) if known else None


def jobs_that_fit(needs: Sequence[int], free: int | None, cores: int) -> int:
    """Return how many bursts to process at the same time: at most one a core, and the largest of them together in memory; at least 1.

    >>> jobs_that_fit([2, 2, 10], 15, 8), jobs_that_fit([2, 2, 2], 100, 2), jobs_that_fit([50], 10, 8), jobs_that_fit([2, 2], None, 8)
    (2, 2, 1, 1)
    """
    if free is None:
        return 1
    fitting = sorted((need for need in needs if need <= SHARE * free), reverse=True)
    count, total = 0, 0
    for need in fitting[:cores]:
        total += need
        if total > SHARE * free:
            break
        count += 1
    return max(count, 1)


def refusals(jobs: Sequence[Job], bursts: Sequence[BurstFiles], free: int | None) -> dict[str, str]:
    """Return why jobs cannot be processed in the free memory, by name; bursts: those of the jobs, among others."""
    if free is None:
        return {}
    shapes = {burst.name: burst.infos[0].shape for burst in bursts}
    found = {}
    for job in jobs:
        need = needed_bytes(job, shapes[job.name])
        if need > free:
            height, width = shapes[job.name]
            found[job.name] = (
                f"needs about {need / 1e9:.1f} GB of memory ({len(job.paths)} frames of {width} x {height}, scale {job.settings.scale:g}"
                f"{', images on disk' if job.images_on_disk else ''}), but {free / 1e9:.1f} GB are free; try a smaller --scale, or --no-memory-check"
            )
    return found


def chosen_jobs(jobs: Sequence[Job], bursts: Sequence[BurstFiles], free: int | None) -> int:
    """Return the number of processes of --jobs auto."""
    shapes = {burst.name: burst.infos[0].shape for burst in bursts}
    return jobs_that_fit([needed_bytes(job, shapes[job.name]) for job in jobs], free, thread_count())


def needed_together(jobs: Sequence[Job], bursts: Sequence[BurstFiles], processes: int) -> int:
    """Estimate the memory of the largest jobs, `processes` at the same time."""
    shapes = {burst.name: burst.infos[0].shape for burst in bursts}
    return sum(sorted((needed_bytes(job, shapes[job.name]) for job in jobs), reverse=True)[:processes])


def _of_machine(root: Path) -> int | None:
    if sys.platform == "win32":
        return _of_windows()
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        pass
    try:  # macOS and others tell the whole memory only: half of it
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return None


def _of_container(folder: Path) -> Iterator[int]:
    for limit, usage in _CGROUPS:
        try:
            most, used = (int((folder / name).read_text(encoding="ascii")) for name in (limit, usage))
        except (OSError, ValueError):  # also "max"
            continue
        if most < _UNLIMITED:
            yield max(most - used, 0)


def _of_windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((name, ctypes.c_ulonglong) for name in ("total", "free", *"abcde"))]

    status = Status(length=ctypes.sizeof(Status))
    done = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined,unused-ignore]
    return int(status.free) if done else None
