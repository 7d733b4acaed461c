"""How a run is steered and watched: the reference by name, threads, the bars."""

import os

import pytest

from burstsr.batch import executors as work_module
from burstsr.batch.job import Outcome
from burstsr.batch.reference import settings_of_bursts
from burstsr.cli import progress as bars_module
from burstsr.cli.progress import Bars
from burstsr.cli.tables import find
from burstsr.core.parallel import thread_count
from burstsr.settings import Settings

COMMANDS = ("process", "single", "simulate", "train", "inspect", "compare", "demo", "calibrate noise", "calibrate lens", "benchmark quality", "benchmark merge")


def test_the_reference_may_be_named(run, bursts, tmp_path):
    """By its name, in all bursts that have such a frame, or by its path."""
    (bursts / "apple" / "frame_002.dng").rename(bursts / "apple" / "other.dng")
    status, _, err = run("process", bursts, "-o", tmp_path / "out", "--dry-run", "--reference", "frame_002.dng")
    assert status == 0 and "not a frame of apple; the reference is chosen automatically there" in err
    found = find([bursts]).bursts
    for asked, indices in (("frame_002", [None, 2, 2]), (bursts / "birch" / "frame_001.dng", [None, 1, None]), ("2", [2, 2, 2]), ("auto", [None] * 3)):
        assert [s.reference for s in settings_of_bursts(Settings(), found, str(asked))] == indices
    status, _, err = run("process", bursts, "-o", tmp_path / "out", "--dry-run", "--reference", bursts / "cherry.dng")
    assert status == 2 and "no burst has a frame of that name" in err


def test_a_reference_that_two_frames_have_is_refused(run, bursts, tmp_path):
    """Frames that are named one by one may come from two folders."""
    frames = [bursts / "apple" / "frame_000.dng", bursts / "apple" / "frame_001.dng", bursts / "birch" / "frame_001.dng"]
    status, _, err = run("process", *frames, "-o", tmp_path / "out", "--dry-run", "--reference", "frame_001.dng")
    assert status == 2 and "2 frames of that name" in err and "specify a path" in err


def test_threads_are_those_asked_for(run, made, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(work_module, "run", lambda job, *others: seen.append((job.threads, thread_count(), os.environ["OMP_NUM_THREADS"])) or _done(job))
    before = thread_count(), os.environ.get("OMP_NUM_THREADS")
    assert run("process", made / "apple", "-o", tmp_path / "out", "--threads", 3)[0] == 0
    assert seen == [(3, 3, "3")] and (thread_count(), os.environ.get("OMP_NUM_THREADS")) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_computes_takes_threads(run, command):
    assert "--threads" in run(*command.split(), "--help")[1]


def _done(job):
    return Outcome(job.name, "done", len(job.paths), outputs=job.outputs)


def test_bars_say_the_time_that_is_left(monkeypatch):
    """Of the stage as soon as one of its steps is done, of all bursts as soon as one is."""
    monkeypatch.setattr(bars_module, "on_terminal", lambda: True)
    with Bars(3) as bars:
        now = [0.0]
        bars._progress.get_time = lambda: now[0]
        for task in bars._progress.tasks:
            bars._progress.reset(task.id)
            bars._progress.advance(task.id, 0)
        bars.stage("apple", "merge", 0, 4)
        now[0] = 10.0
        bars.stage("apple", "merge", 1, 4)
        assert bars._progress.tasks[1].time_remaining == 30
        bars.stage("apple", "write", 0, 1)
        assert bars._progress.tasks[1].time_remaining is None
        now[0] = 100.0
        bars.finished("apple")
        assert bars._progress.tasks[0].time_remaining == 200
