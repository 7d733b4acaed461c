import os
import signal
import threading
import time

import pytest

from burstsr.batch import executors
from burstsr.batch.job import Job, Outcome
from burstsr.settings import Settings
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


def test_a_cluster_does_the_jobs(run, bursts, tmp_path):
    block(tmp_path / "out", "birch")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        status, out, err = run("process", bursts, "-o", tmp_path / "out", "--scheduler", cluster.scheduler_address)
    assert status == 1 and "birch: FAILED" in err and "apple: 4 frames" in out
    assert sorted({p.split(".")[0] for p in contents(tmp_path / "out")}) == ["apple", "cedar"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_is_killed_costs_its_jobs_time_only(tmp_path):
    def slow(job):
        time.sleep(0.3)
        return Outcome(job.name, "done", os.getpid())

    jobs = [Job(name, (), tmp_path, ("dng",), Settings(), ()) for name in "abcdef"]
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            processes = client.run(os.getpid)
        killer = threading.Thread(target=kill_one_at_work, args=(cluster, processes))
        killer.start()
        with executors._cluster(cluster.scheduler_address) as pool:
            outcomes = {job.name: outcome for job, outcome in executors._results(pool, jobs, slow)}
        killer.join()
    assert {name: outcome and outcome.status for name, outcome in outcomes.items()} == dict.fromkeys("abcdef", "done")


def test_tasks_have_the_names_of_their_bursts():
    class Executor:
        def submit(self, function, job, key):
            return key

    named = executors._NamedTasks(Executor())
    keys = [named.submit(None, Job("apple", (), None, (), Settings(), ())) for _ in range(2)]
    assert keys[0].startswith("apple-") and keys[0] != keys[1]


def test_no_scheduler_is_2(run, made, tmp_path):
    status, _, err = run("process", made, "-o", tmp_path / "out", "--scheduler", "nonsense")
    assert status == 2 and "nonsense" in err
