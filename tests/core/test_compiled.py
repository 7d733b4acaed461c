"""Machine code: kept or not, compiled once, and who is told meanwhile."""

import logging

import numba
import numpy as np
import pytest

from burstsr.core import jit as ground
from burstsr.core import jit_events
from burstsr.core.jit import compiled

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")


class Told:
    def __init__(self):
        self.events = []

    def compiling(self, begun):
        self.events.append(begun)


def fresh():
    """A loop that nobody compiled."""

    def double(values):
        for i in range(len(values)):
            values[i] *= 2

    return double


def called(loop):
    values = np.ones(3, np.float32)
    loop(values)
    return values.tolist() == [2, 2, 2]


def test_watchers_are_notified_of_compilation_only():
    reported = Told()
    jit_events.watch(reported)
    before = jit_events.seconds()
    loop = numba.njit(fresh())
    assert called(loop)
    assert reported.events == [True, False]
    took = jit_events.seconds() - before
    assert took > 0
    assert called(loop)
    assert reported.events == [True, False] and jit_events.seconds() - before == took


def test_a_deleted_watcher_is_not_notified():
    reported = Told()
    events = reported.events
    jit_events.watch(reported)
    del reported
    assert called(numba.njit(fresh()))
    assert events == []


def test_machine_code_that_is_loaded_is_not_compiled(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert called(compiled(fresh()))
    reported = Told()
    jit_events.watch(reported)
    assert called(compiled(fresh()))
    assert reported.events == []


def test_loops_call_no_copy_of_a_loop(tmp_path, monkeypatch):
    """A loop compiled in this process and the same one loaded from the cache gave other bytes: they used different copies of a loop that they call."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    @compiled
    def smoothed(x, out):
        for k in range(2, len(x) - 2):
            out[k] = x[k - 2] + np.float32(3) * x[k - 1] + np.float32(4) * x[k] + np.float32(3) * x[k + 1] + x[k + 2]
        for k in range(len(x) - 1):
            out[k] = out[k] * x[k] + out[k + 1] * x[k + 1]
        for k in range(1, len(x)):
            out[k] += out[k - 1] * x[k]

    @compiled
    def twice(x, out):
        smoothed(x, out)
        smoothed(out, x)

    twice(np.ones(9, np.float32), np.ones(9, np.float32))
    (code,) = twice.inspect_llvm().values()
    functions = dict(part.split("\n", 1) for part in code.split("\ndefine ")[1:])
    (own,) = (body for head, body in functions.items() if "twice" in head and "cpython" not in head and "cfunc" not in head)
    assert "smoothed" not in own.split("\n}")[0]


def test_numba_without_events_is_no_harm(monkeypatch):
    def gone(name):
        raise ImportError(name)

    monkeypatch.setattr(jit_events, "_listening", False)
    monkeypatch.setattr(jit_events, "import_module", gone)
    jit_events.watch(Told())


def test_without_a_folder_to_cache_in_loops_run_and_it_is_reported_once(monkeypatch, caplog):
    njit = numba.njit

    def nowhere(*arguments, **options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*arguments, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    monkeypatch.setattr(ground, "_reported", set())
    with caplog.at_level(logging.INFO, logger="burstsr"):
        assert called(compiled(fresh())) and called(compiled(fresh()))
    assert caplog.text.count("NUMBA_CACHE_DIR") == 1


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_damaged_machine_code_is_compiled_anew_and_kept(suffix, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ground, "_reported", set())
    assert called(compiled(fresh()))
    (damaged,) = tmp_path.rglob(f"*{suffix}")
    damaged.write_bytes(b"damaged")
    with caplog.at_level(logging.INFO, logger="burstsr"):
        assert called(compiled(fresh()))
    assert "compiled anew" in caplog.text
    reported = Told()
    jit_events.watch(reported)
    assert called(compiled(fresh()))
    assert reported.events == []


def test_a_full_disk_costs_the_cache_only(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(ground, "_reported", set())
    loop = compiled(fresh())

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop._cache._of_numba, "save_overload", full)
    with caplog.at_level(logging.INFO, logger="burstsr"):
        assert called(loop)
    assert "No space left" in caplog.text
