"""Who does the jobs: this process, a pool of processes, or a dask cluster. Outcomes come as they are ready."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from burstsr.cli.bars import Bars
from burstsr.cli.job import Job, Outcome, Reader, run
from burstsr.cli.screen import log_to_stderr
from burstsr.ground.errors import SettingsError

log = logging.getLogger(__name__)
_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy threads' locks
_events: Any = None  # in a worker process: the queue to the parent's bars


def work(jobs: Sequence[Job], bars: Bars, processes: int = 1, scheduler: str | None = None, verbose: int = 0) -> Iterator[Outcome]:
    """Outcomes of all jobs, in the order in which they are ready. scheduler: address of a dask scheduler, which then does the jobs."""
    if scheduler:
        with _cluster(scheduler) as cluster:
            yield from (outcome or _lost(job) for job, outcome in _results(cluster, [_placed(job) for job in jobs], run))
        return
    processes = min(processes, len(jobs))
    if processes <= 1:
        reader = Reader(jobs)
        for job in jobs:
            yield run(job, partial(bars.stage, job.name), reader)
        return
    from burstsr.ground.threads import thread_count

    threads = max(1, thread_count() // processes)
    yield from pooled([replace(job, threads=threads) for job in jobs], bars, processes, _run_in_worker, verbose)


def pooled(jobs: Sequence[Job], bars: Bars, processes: int, function: Callable[[Job], Outcome], verbose: int = 0) -> Iterator[Outcome]:
    """Outcomes of `function` on all jobs in that many processes. Where one dies, its pool is lost: what it had not done is done again, one by one."""
    events = _CONTEXT.Queue() if bars.shown else None
    listener = threading.Thread(target=_listen, args=(events, bars), daemon=True)
    listener.start()
    lost = []
    try:
        with ProcessPoolExecutor(processes, _CONTEXT, _begin, (events, verbose)) as pool:
            for job, outcome in _results(pool, jobs, function):
                if outcome is None:
                    lost.append(job)
                else:
                    yield outcome
        for job in lost:
            with ProcessPoolExecutor(1, _CONTEXT, _begin, (events, verbose)) as pool:
                yield from (outcome or _lost(job) for _, outcome in _results(pool, [job], function))
    finally:
        if events is not None:
            events.put(None)
        listener.join()


def _results(executor: Executor, jobs: Sequence[Job], function: Callable[[Job], Outcome]) -> Iterator[tuple[Job, Outcome | None]]:
    """Jobs with their outcomes as they are ready; None where the worker is gone: killed, most likely for want of memory."""
    futures: dict[Future[Outcome], Job] = {executor.submit(function, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except Exception:  # `run` raises nothing: what arrives here comes from the executor
                log.debug("burst %s", futures[future].name, exc_info=True)
                yield futures[future], None
    finally:
        for future in futures:
            future.cancel()


def _lost(job: Job) -> Outcome:
    return Outcome(job.name, "failed", len(job.paths), "its worker process died, most likely for want of memory; try fewer --jobs or a smaller --scale")


def _begin(events: Any, verbose: int) -> None:  # noqa: ANN401  a multiprocessing queue
    """Start of a worker process. An interrupt ends the job at work, not the worker: that is the parent's to end."""
    global _events
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr(verbose)


def _run_in_worker(job: Job) -> Outcome:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(job, partial(_send, job.name) if _events is not None else None)
    except KeyboardInterrupt:
        return Outcome(job.name, "failed", len(job.paths), "interrupted")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _send(burst: str, stage: str, done: int, total: int) -> None:
    _events.put((burst, stage, done, total))


def _listen(events: Any, bars: Bars) -> None:  # noqa: ANN401  a multiprocessing queue
    if events is not None:
        for event in iter(events.get, None):
            bars.stage(*event)


def _placed(job: Job) -> Job:
    """The job for a machine with another working directory."""
    return replace(job, paths=tuple(path.absolute() for path in job.paths), out=job.out.absolute(), known=job.known.absolute())


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    if find_spec("distributed") is None:
        raise SettingsError("--scheduler needs the distributed package: pip install 'burstsr[cluster]'")
    distributed: Any = import_module("distributed")
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise SettingsError(f"--scheduler {address}: no dask scheduler answers there ({error})") from error
    with client:
        yield client.get_executor(pure=False)
