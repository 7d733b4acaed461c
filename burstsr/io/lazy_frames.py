"""Frames decoded in the background."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from burstsr.core.burst import Frame, FrameInfo
from burstsr.core.errors import InputFileError
from burstsr.core.parallel import thread_count
from burstsr.io.consistency import check_burst
from burstsr.io.folders import Problem
from burstsr.io.mosaic_store import MosaicStore
from burstsr.io.raw import Mosaic, open_raw

Taken = Callable[[], Mosaic]


class LazyFrame(Frame):
    """A Frame whose mosaic is decoded on another thread, and may be kept in a temporary file: `mosaic` waits, and raises the errors of decoding.

    The array exists while it is referenced: hold the frame, and access its mosaic where it is used. Copied to another process it becomes a Frame.
    """

    def __init__(self, info: FrameInfo, mosaic: Mosaic | Future[Taken], shelf: MosaicStore | None = None) -> None:
        vars(self).update(info=info, _mosaic=mosaic, _shelf=shelf)
        if isinstance(mosaic, Future):
            weakref.finalize(self, mosaic.cancel).atexit = False  # cancel decoding that nobody waits for

    @property
    def mosaic(self) -> Mosaic:  # noqa: D102
        mosaic: Mosaic | Future[Taken] = vars(self)["_mosaic"]
        return mosaic.result()() if isinstance(mosaic, Future) else mosaic

    def with_mosaic(self, mosaic: Mosaic) -> Frame:
        """Return the frame with other pixels, which are stored in the file too once the burst's memory is full."""
        shelf: MosaicStore | None = vars(self)["_shelf"]
        if shelf is None:
            return Frame(self.info, mosaic)
        taken: Future[Taken] = Future()
        taken.set_result(shelf.put(mosaic))
        return LazyFrame(self.info, taken, shelf)

    def with_info(self, info: FrameInfo) -> Frame:
        """Return the frame with another description; the original one is kept for decoding."""
        frame = LazyFrame(info, vars(self)["_mosaic"], vars(self)["_shelf"])
        vars(frame)["_origin"] = self
        return frame

    def __repr__(self) -> str:
        return f"BackgroundFrame({self.info!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Frame, (self.info, self.mosaic)


def read_frames(files: Sequence[Path]) -> tuple[Frame, ...]:
    """Read the frames of one burst: all descriptions immediately, mosaics of DNGs on background threads.

    These are not the threads that run loops, which may wait for a mosaic. Raises InputFileError, and BurstError for frames that do not match.
    """
    pool = ThreadPoolExecutor(thread_count(), thread_name_prefix="burstsr-read")
    try:
        shelf = MosaicStore(len(files), files[0].parent if files else Path())
        begun = list(pool.map(partial(_begun, shelf), range(len(files)), files))
        check_burst([info for info, _ in begun])
        frames = tuple(LazyFrame(info, pool.submit(finish), shelf) for info, finish in begun)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(wait=False)  # the pool ends with the last mosaic
    return frames


def read_sound_frames(files: Sequence[Path]) -> tuple[tuple[Frame, ...], tuple[Problem, ...]]:
    """Read and decode the frames of a burst, waiting for all; return the valid frames, and the other files with the reasons.

    For a burst with which `read_frames` failed: it is slower. Raises BurstError for frames that do not match.
    """
    damaged: list[Problem] = []

    def succeeds(path: Path, ask: Callable[[], object]) -> bool:
        try:
            ask()
        except InputFileError as error:
            damaged.append(Problem(path, str(error)))
            return False
        return True

    readable = [file for file in files if succeeds(file, partial(open_raw, file))]
    frames = read_frames(readable) if readable else ()
    sound = tuple(frame for frame in frames if succeeds(frame.info.path, partial(getattr, frame, "mosaic")))
    return sound, tuple(damaged)


def _begun(shelf: MosaicStore, index: int, file: Path) -> tuple[FrameInfo, Callable[[], Taken]]:
    """Return the description of a file, and a function that stores its mosaic, unless it is stored already."""
    info, pixels = open_raw(file)
    if callable(pixels):
        decode = pixels
        return info, lambda: shelf.put(decode(), index)
    taken = shelf.put(pixels, index)
    return info, lambda: taken
