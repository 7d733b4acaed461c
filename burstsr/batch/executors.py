"""Who does the jobs: this process, a pool of processes, or a dask cluster. Outcomes come as they are ready."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from _thread import interrupt_main
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Protocol

from burstsr.batch.job import Job, Outcome
from burstsr.batch.run import Reader, run
from burstsr.core.errors import INTERRUPTED, SettingsError
from burstsr.core.parallel import limited_threads, thread_count

log = logging.getLogger(__name__)
_CONTEXT = multiprocessing.get_context("spawn")  # a fork would copy threads' locks
_WAIT_S = 0.5
_GRACE_S = 2.0  # for a worker that is to stop: to remove what it has half written
# in a worker process
_events: Any = None  # the queue to the parent's bars
_stopping = threading.Event()  # the parent wants no more, or has gone
_busy = False  # with a job
_limits = ExitStack()  # for as long as the process lives


class Display(Protocol):
    """What shows the progress of bursts."""

    @property
    def shown(self) -> bool:
        """Whether anybody looks."""

    def stage(self, burst: str, stage: str, done: int, total: int) -> None:
        """A burst has come so far in a stage."""


def quietly() -> None:
    """Nothing to prepare in a worker process."""


def work(
    jobs: Sequence[Job], display: Display, processes: int = 1, scheduler: str | None = None, prepare: Callable[[], None] = quietly
) -> Generator[Outcome, None, None]:
    """Outcomes of all jobs, in the order in which they are ready.

    scheduler: address of a dask scheduler, which then does the jobs. prepare: called once in every worker process, such as to set up its log; can be pickled.
    """
    if scheduler:
        with _cluster(scheduler) as cluster:
            yield from (outcome or _lost(job) for job, outcome in _results(cluster, [_placed(job) for job in jobs], run))
        return
    processes = min(processes, len(jobs))
    if processes <= 1:
        reader = Reader(jobs)
        for job in jobs:
            yield run(job, partial(display.stage, job.name), reader)
        return
    threads = max(1, thread_count() // processes)
    yield from pooled([replace(job, threads=threads) for job in jobs], display, processes, _run_reporting, prepare)


def pooled(
    jobs: Sequence[Job], display: Display, processes: int, function: Callable[[Job], Outcome], prepare: Callable[[], None] = quietly
) -> Iterator[Outcome]:
    """Outcomes of `function` on all jobs in that many processes. Where one dies, its pool is lost: what it had not done is done again, one by one.

    Where the caller leaves early (an interrupt), or its process ends, however that comes, the workers end too and leave what they are doing.
    """
    events = _CONTEXT.Queue() if display.shown else None
    listener = threading.Thread(target=_listen, args=(events, display), daemon=True)
    listener.start()
    lost = []
    try:
        with _workers(processes, events, prepare, jobs[0].threads) as pool:
            for job, outcome in _results(pool, jobs, partial(_in_worker, function)):
                if outcome is None:
                    lost.append(job)
                else:
                    yield outcome
        for job in lost:
            with _workers(1, events, prepare, job.threads) as pool:
                yield from (outcome or _lost(job) for _, outcome in _results(pool, [job], partial(_in_worker, function)))
    finally:
        if events is not None:
            events.put(None)
            events.cancel_join_thread()  # a worker that was killed may have taken the queue's lock with it
        listener.join(_WAIT_S)


@contextmanager
def _workers(processes: int, events: Any, prepare: Callable[[], None], threads: int) -> Iterator[Executor]:  # noqa: ANN401  a multiprocessing queue
    """Worker processes that watch one end of a pipe. The other is held here, and nowhere else: it closes on an error or interrupt, and with this process."""
    watched, held = _CONTEXT.Pipe(duplex=False)
    with watched, held, ProcessPoolExecutor(processes, _CONTEXT, _begin, (watched, events, prepare, threads)) as pool:
        try:
            yield pool
        except BaseException:
            held.close()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _results(executor: Executor, jobs: Sequence[Job], function: Callable[[Job], Outcome]) -> Iterator[tuple[Job, Outcome | None]]:
    """Jobs with their outcomes as they are ready; None where the worker is gone: killed, most likely for want of memory."""
    with _interrupts_held_back():
        futures: dict[Future[Outcome], Job] = {executor.submit(function, job): job for job in jobs}
    waiting = set(futures)
    try:
        while waiting:
            ready, waiting = wait(waiting, _WAIT_S, FIRST_COMPLETED)  # by short waits: on Windows Ctrl-C comes between them only
            for future in ready:
                try:
                    yield futures[future], future.result()
                except Exception:  # `run` raises nothing: what arrives here comes from the executor
                    log.debug("burst %s", futures[future].name, exc_info=True)
                    yield futures[future], None
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """For the start of processes: they begin without hearing the terminal's Ctrl-C, and hear it once they know what to do then. Not on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lost(job: Job) -> Outcome:
    return Outcome(job.name, "failed", len(job.paths), "worker process died, most likely out of memory; try fewer --jobs or a smaller --scale")


def _begin(watched: Connection, events: Any, prepare: Callable[[], None], threads: int) -> None:  # noqa: ANN401  a multiprocessing queue
    """Start of a worker process. The terminal's Ctrl-C reaches it too, but it is the parent that decides what becomes of it."""
    global _events
    _events = events
    signal.signal(signal.SIGINT, _interrupted)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, args=(watched,), name="burstsr-parent", daemon=True).start()
    prepare()
    _limits.enter_context(limited_threads(threads))


def _watch(parent: Connection) -> None:
    """Wait until the parent's end of the pipe closes, then have the job at work interrupted, and end what does not leave in time."""
    with suppress(OSError, EOFError):
        parent.recv_bytes()  # nothing is ever sent
    _stopping.set()
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # unlike interrupt_main it wakes a thread that waits for a lock
    else:
        interrupt_main()
    time.sleep(_GRACE_S)
    os._exit(INTERRUPTED)


def _interrupted(number: int, frame: FrameType | None) -> None:
    if _stopping.is_set() and _busy:
        raise KeyboardInterrupt


def _in_worker(function: Callable[[Job], Outcome], job: Job) -> Outcome:
    """Do a job, unless the parent wants no more."""
    global _busy
    if _stopping.is_set():
        return Outcome(job.name, "failed", len(job.paths), "interrupted")
    try:
        _busy = True
        return function(job)
    except KeyboardInterrupt:
        return Outcome(job.name, "failed", len(job.paths), "interrupted")
    finally:
        _busy = False


def _run_reporting(job: Job) -> Outcome:
    return run(job, partial(_send, job.name) if _events is not None else None)


def _send(burst: str, stage: str, done: int, total: int) -> None:
    _events.put((burst, stage, done, total))


def _listen(events: Any, display: Display) -> None:  # noqa: ANN401  a multiprocessing queue
    if events is not None:
        for event in iter(events.get, None):
            display.stage(*event)


def _placed(job: Job) -> Job:
    """The job for a machine with another working directory."""
    return replace(job, paths=tuple(path.absolute() for path in job.paths), out=job.out.absolute(), known=job.known.absolute())


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    if find_spec("distributed") is None:
        raise SettingsError("--scheduler requires the distributed package: pip install 'burstsr[cluster]'")
    distributed: Any = import_module("distributed")
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise SettingsError(f"--scheduler {address}: no dask scheduler is reachable there ({error})") from error
    with client:
        yield client.get_executor(pure=False)
