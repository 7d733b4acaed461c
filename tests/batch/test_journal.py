from burstsr.batch.job import Outcome
from burstsr.batch.journal import Entry, Journal, read


def statuses(journal):
    return {entry.burst: entry.status for entry in read(journal.path)}


def test_the_last_outcome_counts_and_earlier_bursts_stay(tmp_path):
    journal = Journal(tmp_path)
    journal.begin([("a", 3), ("b", 2)], [Outcome("c", "failed", 1, "no frame can be read")])
    assert statuses(journal) == {"a": "waiting", "b": "waiting", "c": "failed"}
    journal.add(Outcome("a", "done", 3, seconds=1.5))
    Journal(tmp_path).begin([("d", 1)], [Outcome("a", "skipped", 3, "already processed")])
    assert statuses(journal) == {"a": "done", "b": "waiting", "c": "failed", "d": "waiting"}
    assert read(journal.path)[0].seconds == 1.5


def test_damaged_lines_are_left_out(tmp_path):
    journal = Journal(tmp_path)
    journal.begin([("a", 3)], [])
    with journal.path.open("ab") as file:
        for line in (
            b"\xff\xfe",
            b"[1]",
            b'{"burst": 3, "status": "done"}',
            b'{"burst": "x", "status": "?"}',
            b"[" * 100_000,
            b'{"burst": "b", "status": "done", "more": 1}',
        ):
            file.write(line + b"\n")
        file.write(b'{"burst": "a", "sta')
    assert read(journal.path) == [read(journal.path)[0], Entry("b", "done")]
    assert read(tmp_path / "none") == []
