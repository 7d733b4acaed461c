"""`benchmarks.scaling`: what runs on all cores is told from what does not."""

from benchmarks import scaling
from burstsr.core import parallel


def burn(_):
    return sum(i * i for i in range(200_000))


def test_work_of_the_pool_is_counted_apart(monkeypatch):
    meter = scaling.Meter()
    monkeypatch.setattr(parallel, "_shared_pool", lambda: meter)
    monkeypatch.setattr(parallel, "thread_count", lambda: 2)
    meter.begin()
    assert list(parallel.in_parallel(burn, range(4))) == [burn(0)] * 4  # the last is not the pool's
    meter.end("stage")
    ((serial, shared),) = meter.stages.values()
    assert 0 < serial < shared
    stage, seconds, share, two, *_ = scaling.rows({"stage": [1.0, 9.0]})[0]
    assert (stage, seconds, share, two) == ("stage", "10.00", "10.0 %", "1.82")
