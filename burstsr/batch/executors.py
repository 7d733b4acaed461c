"""Execution of jobs: in this process, in a pool of processes, or on a dask cluster. Outcomes are returned as they become ready."""

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
from uuid import uuid4

from burstsr.batch.job import Job, Outcome
from burstsr.batch.run import Reader, run
from burstsr.batch.warmup import compile_ahead
from burstsr.core.allocator import reuse_freed_memory
from burstsr.core.errors import INTERRUPTED, SettingsError
from burstsr.core.parallel import limited_threads, thread_count

log = logging.getLogger(__name__)
_CONTEXT = multiprocessing.get_context("spawn")  # fork would copy locks held by threads
_WAIT_S = 0.5
_GRACE_S = 2.0  # time for a stopping worker to remove partial files
# in a worker process
_events: Any = None  # queue to the parent's progress bars
_stopping = threading.Event()  # set when the parent has stopped or ended
_busy = False  # running a job
_limits = ExitStack()  # for as long as the process lives
_limit = 0  # threads, the last of them
_limiting = threading.Lock()


class Display(Protocol):
    """Progress display of bursts."""

    @property
    def shown(self) -> bool:
        """Whether progress is visible."""

    def stage(self, burst: str, stage: str, done: int, total: int) -> None:
        """Report progress of a burst in a stage."""


def quietly() -> None:
    """Prepare nothing in a worker process."""


def work(
    jobs: Sequence[Job],
    display: Display,
    processes: int = 1,
    scheduler: str | None = None,
    prepare: Callable[[], None] = quietly,
    retries: int = 0,
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of all jobs as they become ready.

    scheduler: address of a dask scheduler, which then runs the jobs. prepare: picklable, called once in every worker process, for example to set up its log.
    retries: how often jobs whose failure may pass are tried again, after all others, one at a time.
    """
    left = list(jobs)
    for attempt in range(1, retries + 2):
        of, again = {job.name: job for job in left}, []
        for outcome in _attempted(left, display, processes if attempt == 1 else min(processes, 1), scheduler, prepare):
            if outcome.status == "failed" and outcome.may_pass and attempt <= retries:
                log.warning("%s: %s; it is tried again", outcome.name, outcome.reason)
                again.append(of[outcome.name])
            else:
                yield replace(outcome, attempts=attempt)
        if not again:
            return
        left = again


def _attempted(jobs: Sequence[Job], display: Display, processes: int, scheduler: str | None, prepare: Callable[[], None]) -> Generator[Outcome, None, None]:
    """Yield the outcomes of one attempt."""
    if scheduler or min(processes, len(jobs)) > 1:
        from burstsr.io import decoded

        decoded.forget()  # frames are read elsewhere
    if scheduler:
        with _cluster(scheduler) as cluster:
            yield from (outcome or _lost(job) for job, outcome in _results(cluster, [_placed(job) for job in jobs], _on_cluster))
        return
    compile_ahead((job.settings.mode for job in jobs), display)
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
    """Yield outcomes of `function` for all jobs, run in that many processes. If one dies, its pool is lost: unfinished jobs are run again, one by one.

    If the caller leaves early (an interrupt), or its process ends in any way, the workers abort and end too.
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
            events.cancel_join_thread()  # a killed worker may still hold the queue's lock
        listener.join(_WAIT_S)


@contextmanager
def _workers(processes: int, events: Any, prepare: Callable[[], None], threads: int) -> Iterator[Executor]:  # noqa: ANN401  a multiprocessing queue
    """Start worker processes that watch one end of a pipe. The other end exists only here: it is closed by an error or interrupt, or with this process."""
    watched, held = _CONTEXT.Pipe(duplex=False)
    with watched, held, ProcessPoolExecutor(processes, _CONTEXT, _begin, (watched, events, prepare, threads)) as pool:
        try:
            yield pool
        except BaseException:
            held.close()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _results(executor: Executor, jobs: Sequence[Job], function: Callable[[Job], Outcome]) -> Iterator[tuple[Job, Outcome | None]]:
    """Yield jobs with their outcomes as they become ready; None where the worker died, most likely out of memory."""
    with _interrupts_held_back():
        futures: dict[Future[Outcome], Job] = {executor.submit(function, job): job for job in jobs}
    waiting = set(futures)
    try:
        while waiting:
            ready, waiting = wait(waiting, _WAIT_S, FIRST_COMPLETED)  # short waits: on Windows Ctrl-C is handled only between them
            for future in ready:
                try:
                    yield futures[future], future.result()
                except Exception:  # `run` raises nothing: errors here are the executor's
                    log.debug("burst %s", futures[future].name, exc_info=True)
                    yield futures[future], None
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Block SIGINT while processes start: they ignore Ctrl-C until they can handle it. Not on Windows."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lost(job: Job) -> Outcome:
    reason = "worker process died, most likely out of memory; try fewer --jobs, a smaller --scale, or --memory"
    return Outcome(job.name, "failed", len(job.paths), reason, may_pass=True)


def _begin(watched: Connection, events: Any, prepare: Callable[[], None], threads: int) -> None:  # noqa: ANN401  a multiprocessing queue
    """Initialise a worker process. It receives the terminal's Ctrl-C too, but the parent decides what happens."""
    global _events
    _events = events
    signal.signal(signal.SIGINT, _interrupted)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, args=(watched,), name="burstsr-parent", daemon=True).start()
    prepare()
    _limit_threads(threads)


def _watch(parent: Connection) -> None:
    """Wait until the parent's end of the pipe is closed, then interrupt the running job, and exit if it does not end in time."""
    with suppress(OSError, EOFError):
        parent.recv_bytes()  # nothing is ever sent
    _stopping.set()
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # unlike interrupt_main it wakes a thread waiting for a lock
    else:
        interrupt_main()
    time.sleep(_GRACE_S)
    os._exit(INTERRUPTED)


def _interrupted(number: int, frame: FrameType | None) -> None:
    if _stopping.is_set() and _busy:
        raise KeyboardInterrupt


def _in_worker(function: Callable[[Job], Outcome], job: Job) -> Outcome:
    """Run a job, unless the parent has stopped."""
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


def _on_cluster(job: Job) -> Outcome:
    """Run a job in a worker of a cluster."""
    reuse_freed_memory()
    _limit_threads(job.threads)
    return run(job)


def _limit_threads(threads: int) -> None:
    """Limit loops and libraries to that many cores for as long as the process lives, or until another limit; 0: no change."""
    global _limit
    with _limiting:
        if threads and threads != _limit:
            _limits.enter_context(limited_threads(threads))
            _limit = threads


def _placed(job: Job) -> Job:
    """Return the job with absolute paths, for a machine with another working directory."""
    return replace(job, paths=tuple(path.absolute() for path in job.paths), out=job.out.absolute(), known=job.known.absolute())


class _NamedTasks(Executor):
    """Tasks of dask that its dashboard shows under the names of their bursts."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  that of Executor
        """Submit a function of a job."""
        return self._executor.submit(fn, *args, **kwargs, key=f"{args[0].name}-{uuid4().hex}")


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
        yield _NamedTasks(client.get_executor(pure=False))
