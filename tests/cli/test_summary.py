"""The end of a batch: what went wrong how often."""


def test_failures_are_summed_up_by_reason(run, run_json, bursts, tmp_path):
    for name in ("apple", "cedar"):
        (tmp_path / "out" / f"{name}.json").mkdir(parents=True)
    status, _, err = run("process", bursts, "-o", tmp_path / "out")
    assert status == 1 and "2 of 3 bursts failed: apple, cedar" in err and "failed 2 times: is a directory; not replaced" in err and "(apple, cedar)" in err
    status, result = run_json("process", bursts, "-o", tmp_path / "out")
    ((reason, names),) = result["failed_by_reason"].items()
    assert status == 1 and reason.startswith("is a directory") and names == ["apple", "cedar"]
