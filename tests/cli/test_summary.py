"""The end of a batch: what went wrong how often."""

from burstsr.batch import memory
from burstsr.cli import process


def test_failures_are_summed_up_by_reason(run, run_json, bursts, tmp_path):
    for name in ("apple", "cedar"):
        (tmp_path / "out" / f"{name}.json").mkdir(parents=True)
    status, _, err = run("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and "2 of 3 bursts failed: apple, cedar" in err and "failed 2 times: is a directory; not replaced" in err and "(apple, cedar)" in err
    status, result = run_json("process", bursts, "-o", tmp_path / "out")
    ((reason, names),) = result["failed_by_reason"].items()
    assert status == 1 and reason.startswith("is a directory") and names == ["apple", "cedar"]


def test_a_burst_that_does_not_fit_into_memory_is_not_begun(run, bursts, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1_000_000)
    status, out, err = run("process", bursts / "apple", "-o", tmp_path / "out", "--dry-run")
    assert status == 1 and "GB of memory (4 frames of 96 x 80, scale 2, images on disk), but 0.0 GB are free" in out
    status, _, err = run("process", bursts / "apple", "-o", tmp_path / "out")
    assert status == 1 and "apple: FAILED: needs about" in err and not (tmp_path / "out").exists()
    status, out, _ = run("process", bursts / "apple", "-o", tmp_path / "out", "--no-memory-check")
    assert status == 0 and "apple: 4 frames" in out


def test_jobs_are_chosen_by_memory(run, bursts, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(process, "work", lambda jobs, bars, processes, *others: asked.append(processes) or (outcome for outcome in ()))
    monkeypatch.setattr(memory, "thread_count", lambda: 8)
    for free, processes in ((2_000_000_000, 3), (1_000_000_000, 2), (500_000_000, 1)):
        monkeypatch.setattr(memory, "free_bytes", lambda free=free: free)
        assert run("process", bursts, "-o", tmp_path / "out", "--jobs", "auto")[0] == 0 and asked.pop() == processes
    status, _, err = run("process", bursts, "-o", tmp_path / "out", "--jobs", "3")
    assert asked == [3] and "--jobs 3 needs about 1.1 GB of memory, but 0.5 GB are free" in err
    assert run("process", bursts, "-o", tmp_path / "out", "--jobs", "many")[0] == 2
