import pytest

from cli.conftest import contents
from cli.test_process import block

distributed = pytest.importorskip("distributed")


def test_a_cluster_does_the_jobs(run, bursts, tmp_path):
    block(tmp_path / "out", "birch")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        status, out, err = run("process", bursts, "-o", tmp_path / "out", "--scheduler", cluster.scheduler_address)
    assert status == 1 and "birch: FAILED" in err and "apple: 4 frames" in out
    assert sorted({p.split(".")[0] for p in contents(tmp_path / "out")}) == ["apple", "cedar"]


def test_no_scheduler_is_2(run, made, tmp_path):
    status, _, err = run("process", made, "-o", tmp_path / "out", "--scheduler", "nonsense")
    assert status == 2 and "nonsense" in err
