import os
import signal
import threading
import time

import pytest

from cli.conftest import contents
from cli.test_process import block

distributed = pytest.importorskip("distributed")


def kill_one_at_work(cluster, processes):
    """Kill the first worker that has something to do."""
    for _ in range(6000):
        at_work = [address for address, worker in list(cluster.scheduler.workers.items()) if worker.processing]
        if at_work:
            os.kill(processes[at_work[0]], signal.SIGKILL)
            return
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_cluster_does_the_jobs_though_a_worker_is_killed(run, bursts, tmp_path):
    block(tmp_path / "out", "birch")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            processes = client.run(os.getpid)
        killer = threading.Thread(target=kill_one_at_work, args=(cluster, processes))
        killer.start()
        status, out, err = run("process", bursts, "-o", tmp_path / "out", "--scheduler", cluster.scheduler_address)
        killer.join()
        assert len(cluster.scheduler.workers) >= 1
    assert status == 1 and "birch: FAILED" in err and "apple: 4 frames" in out
    assert sorted({p.split(".")[0] for p in contents(tmp_path / "out")}) == ["apple", "cedar"]


def test_no_scheduler_is_2(run, made, tmp_path):
    status, _, err = run("process", made, "-o", tmp_path / "out", "--scheduler", "nonsense")
    assert status == 2 and "nonsense" in err
