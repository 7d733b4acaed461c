"""Bursts are tried again after failures that may pass, and only then; changed contents of inputs are noticed."""

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from burstsr.batch import executors
from burstsr.batch.contents import content_of
from burstsr.batch.job import Job, Outcome
from burstsr.batch.memory import needed_bytes, placed
from burstsr.batch.passing import may_pass
from burstsr.cli.progress import Bars
from burstsr.core.errors import BurstError, InputFileError, OutputError
from burstsr.settings import Settings


def job(name, **facts):
    return Job(name, (Path("frame.dng"),), Path("out"), ("dng", "jpg"), Settings(), ("frame",), **facts)


def outcomes(monkeypatch, answers, retries):
    """Outcomes of jobs; answers: by job, what its attempts lead to."""
    tried = []

    def run(job, progress=None, reader=None):
        tried.append(job.name)
        status, passing = answers[job.name][tried.count(job.name) - 1]
        return Outcome(job.name, status, 1, "why", may_pass=passing)

    monkeypatch.setattr(executors, "run", run)
    monkeypatch.setattr(executors, "compile_ahead", lambda *_: None)
    return list(executors.work([job(name) for name in answers], Bars(9, show=False), retries=retries)), tried


def test_only_failures_that_may_pass_are_tried_again(monkeypatch):
    answers = {"full": [("failed", True), ("done", False)], "bad": [("failed", False)], "good": [("done", False)], "never": [("failed", True)] * 3}
    found, tried = outcomes(monkeypatch, answers, 2)
    assert {o.name: (o.status, o.attempts) for o in found} == {"bad": ("failed", 1), "good": ("done", 1), "full": ("done", 2), "never": ("failed", 3)}
    assert tried == ["full", "bad", "good", "never", "full", "never", "never"]


def test_without_retries_every_burst_is_tried_once(monkeypatch):
    found, tried = outcomes(monkeypatch, {"full": [("failed", True)]}, 0)
    assert tried == ["full"] and [o.status for o in found] == ["failed"]


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (caused(OutputError("a.dng: cannot be written"), OSError(errno.ENOSPC, "full")), True),
        (caused(InputFileError("a.dng: cannot be read"), OSError(errno.EIO, "I/O error")), True),
        (MemoryError(), True),
        (caused(InputFileError("a.dng: cannot be read"), FileNotFoundError(errno.ENOENT, "gone")), False),
        (InputFileError("a.dng: truncated"), False),
        (BurstError("other sizes"), False),
    ],
)
def test_which_failures_may_pass(error, passes):
    assert may_pass(error) is passes


def test_other_content_of_the_same_size_is_noticed(tmp_path):
    file = tmp_path / "a.dng"
    for at in (0, 50_000, 99_999):
        file.write_bytes(bytes(100_000))
        before = content_of(file)
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(b"x")
        assert content_of(file) != before
    file.write_bytes(b"")
    assert content_of(file)


def test_bursts_that_need_more_than_the_limit_have_their_images_on_disk():
    class Files:
        name = "a"
        infos = (type("Info", (), {"shape": (6000, 8000)}),)

    whole = job("a")
    assert not placed([whole], [Files], None)[0].images_on_disk and not placed([whole], [Files], 10**11)[0].images_on_disk
    (on_disk,) = placed([whole], [Files], 4 * 10**9)
    assert on_disk.images_on_disk and needed_bytes(on_disk, (6000, 8000)) < 0.4 * needed_bytes(whole, (6000, 8000))


@pytest.mark.parametrize(("stated", "reasons"), [(["a.dng: cut"], ("a.dng: cut",)), ([[]], ()), ([None, "", {}], ()), ("a.dng", ()), (None, ())])
def test_reasons_of_a_damaged_record_that_are_no_text_are_none(tmp_path, stated, reasons):
    (tmp_path / "a.json").write_text(json.dumps({"damaged_frames": stated}))
    assert replace(job("a"), out=tmp_path).damaged() == reasons
