"""`benchmarks.soak` with a few bursts, and what `benchmarks.faults` takes for broken."""

import json

from benchmarks.faults import left, state
from benchmarks.soak import processed, write_bursts


def test_good_bursts_are_done_and_bad_ones_named(tmp_path):
    bad = write_bursts(tmp_path, 6, 0.34, seed=1)
    assert len(bad) == 2
    found = {name: what for name, what, _ in processed(tmp_path)}
    assert {name for name, what in found.items() if what != "done"} == bad and len(found) == 6


def test_states_of_results_differ_by_more_than_timings(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"seconds": {"read": 1}, "frames": 3}))
    (tmp_path / "a.dng").write_bytes(b"x")
    before = state(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"seconds": {"read": 2}, "frames": 3}))
    assert state(tmp_path) == before and left(tmp_path) == []
    (tmp_path / "a.json").write_text(json.dumps({"seconds": {"read": 2}, "frames": 4}))
    (tmp_path / ".a.part").write_bytes(b"")
    assert state(tmp_path) != before and left(tmp_path) == [".a.part"]
