"""Signals and the death of processes, with real ones. What is waited for are files that appear and pipes that close, never a length of time.

A pipe's end shows that processes are gone: all of a run, its workers included, hold their standard output, and `communicate` returns when nobody does.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent")
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300  # never reached where all is well
STUB = """
import ctypes, os, signal, sys, threading
from pathlib import Path
import burstsr.batch.executors as work
from burstsr.__main__ import main

def forever(job, *others):  # stands in for the doing of a burst, in worker processes too: they run this file's top
    Path(os.environ["BEGUN"], job.name).touch()
    WAIT()

def deaf():  # as in a compiled loop: no instruction of Python's
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(mutex)

WAIT = deaf if os.environ.get("DEAF") else threading.Event().wait
work.run = forever
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background of a shell inherit that it is ignored
    sys.exit(main())
"""


@pytest.fixture
def begin(made, tmp_path):
    """Start `burstsr process` on three bursts with a stub that never ends; the process, once `bursts` of them are at work."""
    begun = tmp_path / "begun"
    begun.mkdir()
    script = tmp_path / "stub.py"
    script.write_text(STUB)
    started = []

    def call(*options, bursts, **variables):
        command = [sys.executable, script, "process", made, "-o", tmp_path / "out", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "BEGUN": str(begun), **variables}
        pipe = subprocess.PIPE
        process = subprocess.Popen(list(map(str, command)), env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        started.append(process)
        until(lambda: len(list(begun.iterdir())) == bursts)
        return process

    yield call
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(condition):
    limit = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_an_interrupt_with_two_jobs_stops_at_once(begin, tmp_path):
    process = begin("--jobs", 2, bursts=2)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err and "leaked" not in err
    assert len(list((tmp_path / "begun").iterdir())) == 2  # what was queued is not begun


def test_workers_inside_a_long_loop_are_stopped_too(begin):
    process = begin("--jobs", 2, bursts=2, DEAF="1")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130


def test_workers_end_with_their_parent(begin):
    process = begin("--jobs", 2, bursts=2)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGKILL


def test_a_second_interrupt_ends_a_loop_that_hears_nothing(begin):
    process = begin(bursts=1, DEAF="1")
    process.send_signal(signal.SIGINT)
    assert "Ctrl-C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130


def test_an_interrupt_of_one_job_does_not_wait_for_threads(begin):
    process = begin(bursts=1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130 and "a re-run continues from there" in err and "Traceback" not in err


def test_the_exit_status_of_an_interrupt_is_documented(run):
    assert "130 interrupted" in " ".join(run("--help")[1].split())
    assert "130 interrupted" in (ROOT / "README.md").read_text(encoding="utf-8")
