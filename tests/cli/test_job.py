"""One burst after the other: the next one's reading begins while one is written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from burstsr.batch.job import Job
from burstsr.batch.run import Reader, run
from burstsr.core.errors import InputFileError
from burstsr.io.discover import read_burst
from burstsr.settings import Settings


def job_of(folder):
    return Job(folder.name, tuple(sorted(folder.glob("*.dng"))), Path("out"), ("dng", "jpg"), Settings(), ())


def test_bursts_come_in_turn_each_once(made, monkeypatch):
    calls = []

    def counted(paths):
        calls.append(paths[0].parent.name)
        return read_burst(paths)

    monkeypatch.setattr("burstsr.io.discover.read_burst", counted)
    jobs = [job_of(made / name) for name in ("apple", "birch", "cedar")]
    reader = Reader(jobs)
    for job in jobs:
        burst = reader.take(job)
        assert [frame.info.path for frame in burst] == list(job.paths)
        reader.begin_after(job)
    assert calls == ["apple", "birch", "cedar"]


def test_a_burst_before_which_one_failed_is_read_when_it_is_needed(made):
    jobs = [job_of(made / name) for name in ("apple", "birch")]
    assert len(Reader(jobs).take(jobs[1])) == 4


def test_an_error_ahead_is_of_the_burst_that_has_it(made, tmp_path):
    jobs = [job_of(made / "apple"), replace(job_of(made / "birch"), paths=(tmp_path / "gone.dng",))]
    reader = Reader(jobs)
    reader.begin_after(jobs[0])
    with pytest.raises(InputFileError, match=r"gone\.dng"):
        reader.take(jobs[1])


def test_the_record_times_reading_and_writing_too(made, tmp_path):
    reported = []
    job = replace(job_of(made / "apple"), out=tmp_path / "out", formats=("dng", "jpg", "png"))
    assert run(job, lambda stage, done, total: reported.append(stage)).status == "done"
    seconds = json.loads(job.record.read_text(encoding="utf-8"))["seconds"]
    assert list(seconds)[0] == "read" and list(seconds)[-1] == "write"
    assert reported[0] == "read" and reported[-1] == "write"


def test_files_written_at_once_have_the_same_rights(made, tmp_path):
    job = replace(job_of(made / "apple"), out=tmp_path / "out")
    assert run(job).status == "done"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert {path.stat().st_mode for path in job.outputs} == {plain.stat().st_mode}
