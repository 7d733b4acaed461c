"""Which bursts are complete, by a clock that the test sets."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from burstsr.batch.job import Job
from burstsr.batch.watch import Watcher, grown
from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.io.discover import BurstFiles, Discovery, KnownFiles
from burstsr.io.folders import Problem
from burstsr.io.grouping import Grouping
from burstsr.settings import Settings

INFO = FrameInfo(Path("a"), (4, 4), Cfa.parse("RGGB"), Levels(np.zeros((2, 2)), 1.0), Colour(np.ones(3)))


class Card:
    """A folder of files `BURST_N.dng`, found as bursts by their names; content "bad" is no frame. The clock is `now`."""

    def __init__(self, folder, exposure_s=0.01, wait_s=10.0):
        self.folder, self.now, self.looks, self.exposure_s = folder, 0.0, 0, exposure_s
        self.watcher = Watcher([folder], self.discover, Grouping(), wait_s, lambda: self.now)

    def put(self, name, content="whole"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        os.utime(path, ns=(0, 10**9 * int(self.now) + len(content)))

    def discover(self):
        self.looks += 1
        bursts, problems = {}, []
        for path in sorted(self.folder.rglob("*.dng")):
            if path.read_text() == "bad":
                problems.append(Problem(path, f"{path}: bad"))
            else:
                bursts.setdefault(path.stem.split("_")[0], []).append(replace(INFO, path=path, exposure_s=self.exposure_s))
        return Discovery(tuple(BurstFiles(name, tuple(infos)) for name, infos in bursts.items()), tuple(problems))

    def at(self, now):
        """Names of the bursts that are complete at a time, with their numbers of frames, and of bad files."""
        self.now = now
        news = self.watcher.look()
        return {burst.name: len(burst.infos) for burst in news.bursts}, [problem.path.name for problem in news.problems]


@pytest.fixture
def card(tmp_path):
    return Card(tmp_path)


def test_a_burst_is_complete_once_no_frame_has_come_for_a_while(card):
    card.put("a_1.dng")
    assert card.at(0) == ({}, [])
    card.put("a_2.dng")
    assert card.at(6) == card.at(12) == ({}, [])
    assert card.at(16) == ({"a": 2}, [])
    looks = card.looks
    assert card.at(100) == ({}, []) and card.looks == looks  # nothing is opened where nothing has changed


def test_a_file_that_grows_is_waited_for(card):
    card.put("a_1.dng")
    card.at(0)
    for now in range(5, 60, 5):
        card.put("a_2.dng", "x" * now)
        assert card.at(now) == ({}, [])
    assert card.at(64.9) == ({}, []) and card.at(65) == ({"a": 2}, [])


def test_other_bursts_do_not_wait(card):
    card.put("a_1.dng")
    card.at(0)
    card.put("b_1.dng")
    assert card.at(9) == ({}, []) and card.at(11) == ({"a": 1}, []) and card.at(19) == ({"b": 1}, [])


def test_a_burst_that_gets_more_frames_is_returned_again(card):
    card.put("a_1.dng")
    card.at(0)
    assert card.at(10) == ({"a": 1}, [])
    card.put("a_2.dng")
    assert card.at(11) == ({}, []) and card.at(21) == ({"a": 2}, [])


def test_long_exposures_are_waited_for(tmp_path):
    card = Card(tmp_path, exposure_s=300)
    card.put("a_1.dng")
    card.at(0)
    assert card.at(500) == ({}, []) and card.at(602) == ({"a": 1}, [])


def test_a_file_that_cannot_be_used_is_named_once_and_holds_its_folder_back_until_it_is_whole(card):
    card.put("night/a_1.dng")
    card.put("other/b_1.dng")
    card.at(0)
    card.put("night/a_2.dng", "bad")
    card.at(5)
    assert card.at(10) == ({"b": 1}, [])  # a_2.dng may still be copied
    assert card.at(15) == ({"a": 1}, ["a_2.dng"]) and card.at(30) == ({}, [])
    card.put("night/a_2.dng")
    assert card.at(31) == ({}, []) and card.at(41) == ({"a": 2}, [])


def test_hidden_files_and_other_kinds_are_left_alone(card):
    card.put(".b/c_1.dng")
    card.put("a.jpg")
    card.put(".a_1.dng")
    assert card.at(0) == card.at(50) == ({}, []) and card.looks == 0


def test_results_of_fewer_or_smaller_frames_are_made_again(tmp_path):
    when = "2026-01-01T12:00:00"
    now = (f"a.dng, 9 bytes, {when}", f"b.dng, 9 bytes, {when}")
    job = Job("a", (), tmp_path, ("dng",), Settings(), now)

    def after(*old):
        job.record.write_text(json.dumps({"fingerprints": list(old)}))
        return grown(job)

    assert not grown(job) and not after(*now)
    assert after(now[0]) and after(now[0], f"b.dng, 5 bytes, {when}")
    assert not after(now[0], f"c.dng, 9 bytes, {when}") and not after("a.dng, 9 bytes, 2025-05-05T12:00:00")  # another burst of the same name
    assert not after(now[0], f"b.dng, 10 bytes, {when}")


def test_files_that_are_known_are_not_opened_again(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("burstsr.io.discover._infos", lambda file: opened.append(file) or [])
    path = tmp_path / "a.dng"
    path.write_text("1")
    known = KnownFiles()
    assert known.infos(path) == known.infos(path) == [] and opened == [path]
    path.write_text("22")
    known.infos(path)
    assert opened == [path, path]
