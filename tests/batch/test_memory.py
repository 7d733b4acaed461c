"""What bursts need of memory, against what was measured, and what is free."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from burstsr.batch.job import ALWAYS, REPORT, Job
from burstsr.batch.memory import free_bytes, jobs_that_fit, needed_bytes
from burstsr.core import peak_memory
from burstsr.settings import Settings


def job(frames, scale=2.0, formats=ALWAYS, mode="fast"):
    return Job("a", (Path("a.dng"),) * frames, Path("out"), formats, Settings(scale=scale, mode=mode), ())


@pytest.mark.parametrize(
    ("megapixels", "frames", "mode", "measured_mb"),
    [(3, 8, "fast", 840), (3, 8, "best", 859), (6, 4, "fast", 1368), (12, 13, "fast", 2400)],  # `burstsr benchmark pipeline`
)
def test_the_estimate_is_a_little_above_what_was_measured(megapixels, frames, mode, measured_mb):
    need = needed_bytes(job(frames, mode=mode), (1000, 1000 * megapixels)) / 1e6
    assert measured_mb < need < 1.25 * measured_mb


@pytest.mark.parametrize(("scale", "measured_mb"), [(1, 534), (3, 1370), (4, 2098)])
def test_the_estimate_holds_at_other_scales(scale, measured_mb):
    assert measured_mb < needed_bytes(job(4, scale), (1500, 2000)) / 1e6 < 1.2 * measured_mb


@pytest.mark.parametrize(("height", "measured_mb"), [(1500, 987), (3000, 1093)])
def test_the_estimate_of_images_on_disk(height, measured_mb, monkeypatch):
    monkeypatch.setattr(peak_memory, "thread_count", lambda: 2)
    assert measured_mb < needed_bytes(replace(job(8), images_on_disk=True), (height, 4000)) / 1e6 < 1.25 * measured_mb


def test_the_estimate_grows_with_what_is_asked():
    shape = (3000, 4000)
    assert (
        needed_bytes(job(8, 1.0), shape)
        < needed_bytes(job(8), shape)
        < needed_bytes(job(8, formats=(*ALWAYS, REPORT)), shape)
        < needed_bytes(job(8, 3.0), shape)
    )
    assert needed_bytes(job(200), shape) - needed_bytes(job(100), shape) < 0.7e9  # mosaics wait in a file


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells otherwise")
def test_free_memory_is_that_of_the_machine_or_of_the_container(tmp_path):
    def write(name, text):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    write("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n")
    assert free_bytes(tmp_path) == 8_192_000_000
    write("sys/fs/cgroup/memory.max", "max\n")
    write("sys/fs/cgroup/memory.current", "5\n")
    assert free_bytes(tmp_path) == 8_192_000_000
    write("sys/fs/cgroup/memory.max", "3000000000\n")
    write("sys/fs/cgroup/memory.current", "1000000000\n")
    assert free_bytes(tmp_path) == 2_000_000_000
    assert free_bytes() is None or free_bytes() > 0


def test_as_many_bursts_as_fit():
    assert jobs_that_fit([4] * 100, 100, 8) == 8 and jobs_that_fit([4] * 100, 20, 8) == 4 and jobs_that_fit([400], 20, 8) == 1 and jobs_that_fit([], 20, 8) == 1
