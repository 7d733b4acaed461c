import os
from pathlib import Path

from burstsr.batch.executors import pooled
from burstsr.batch.job import Job, Outcome
from burstsr.cli.progress import Bars
from burstsr.settings import Settings


def dies_at_birch(job):
    """Stands in for `run` in worker processes."""
    if job.name == "birch":
        os._exit(9)
    return Outcome(job.name, "done", len(job.paths))


def test_a_dying_worker_costs_its_burst_only():
    jobs = [Job(name, (Path("frame.dng"),), Path("out"), ("dng",), Settings(), ("frame",)) for name in ("apple", "birch", "cedar", "dogwood")]
    outcomes = {o.name: o for o in pooled(jobs, Bars(4, show=False), 2, dies_at_birch)}
    assert {name: o.status for name, o in outcomes.items()} == {"apple": "done", "birch": "failed", "cedar": "done", "dogwood": "done"}
    assert "died" in outcomes["birch"].reason
