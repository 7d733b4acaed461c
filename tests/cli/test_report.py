"""`burstsr report` as a command."""

from html_report.results import write_result


def test_report_makes_the_page(run, run_json, tmp_path):
    write_result(tmp_path / "out", "a")
    status, out, err = run("report", tmp_path / "out")
    assert (status, err) == (0, "") and out == f"{tmp_path / 'out' / 'report' / 'index.html'}: 1 burst\n"
    status, result = run_json("report", tmp_path / "out", "-o", tmp_path / "page")
    assert status == 0 and result == {"index": str(tmp_path / "page" / "index.html"), "bursts": 1, "failures": 0, "problems": []}


def test_report_of_broken_results_names_them(run, tmp_path):
    write_result(tmp_path / "out", "a")
    (tmp_path / "out" / "a.json").write_text("{")
    status, _, err = run("report", tmp_path / "out")
    assert status == 1 and "a: not shown: a.json cannot be read" in err
    status, _, err = run("report", tmp_path / "none")
    assert status == 2 and "no such folder" in err
