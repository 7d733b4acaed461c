"""Frames that are decoded while the program is busy with others."""

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
from burstsr.io.folders import Problem
from burstsr.io.mosaic_store import MosaicStore
from burstsr.io.raw import Mosaic, check_burst, open_raw

Taken = Callable[[], Mosaic]


class LazyFrame(Frame):
    """A Frame whose mosaic is decoded on another thread, and may then lie in a temporary file: `mosaic` waits, and raises what decoding raised.

    It is there for as long as somebody holds it: hold the frame, and ask for its mosaic where it is used. Copied to another process it is a Frame.
    """

    def __init__(self, info: FrameInfo, mosaic: Mosaic | Future[Taken], shelf: MosaicStore | None = None) -> None:
        vars(self).update(info=info, _mosaic=mosaic, _shelf=shelf)
        if isinstance(mosaic, Future):
            weakref.finalize(self, mosaic.cancel).atexit = False  # what nobody waits for need not be begun

    @property
    def mosaic(self) -> Mosaic:  # noqa: D102
        mosaic: Mosaic | Future[Taken] = vars(self)["_mosaic"]
        return mosaic.result()() if isinstance(mosaic, Future) else mosaic

    def with_mosaic(self, mosaic: Mosaic) -> Frame:
        """The frame with other pixels, which go to the file too once the burst's memory is full."""
        shelf: MosaicStore | None = vars(self)["_shelf"]
        if shelf is None:
            return Frame(self.info, mosaic)
        taken: Future[Taken] = Future()
        taken.set_result(shelf.put(mosaic))
        return LazyFrame(self.info, taken, shelf)

    def with_info(self, info: FrameInfo) -> Frame:
        """The frame under another description; it keeps this one, with which the decoding would end."""
        frame = LazyFrame(info, vars(self)["_mosaic"], vars(self)["_shelf"])
        vars(frame)["_origin"] = self
        return frame

    def __repr__(self) -> str:
        return f"BackgroundFrame({self.info!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Frame, (self.info, self.mosaic)


def read_frames(files: Sequence[Path]) -> tuple[Frame, ...]:
    """The frames of one burst: all descriptions are read, and the mosaics of DNGs left to threads that go on.

    The threads are not those on which loops run: these may wait for a mosaic. Raises InputFileError, and BurstError for what does not belong together.
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
    pool.shutdown(wait=False)  # it ends with the last mosaic
    return frames


def read_sound_frames(files: Sequence[Path]) -> tuple[tuple[Frame, ...], tuple[Problem, ...]]:
    """The frames whose files can be read and decoded, all of them waited for, and the other files, each with the reason.

    For a burst that `read_frames` could not read to its end: it costs more. Raises BurstError for what does not belong together.
    """
    damaged: list[Problem] = []

    def told(path: Path, ask: Callable[[], object]) -> bool:
        try:
            ask()
        except InputFileError as error:
            damaged.append(Problem(path, str(error)))
            return False
        return True

    readable = [file for file in files if told(file, partial(open_raw, file))]
    frames = read_frames(readable) if readable else ()
    sound = tuple(frame for frame in frames if told(frame.info.path, partial(getattr, frame, "mosaic")))
    return sound, tuple(damaged)


def _begun(shelf: MosaicStore, index: int, file: Path) -> tuple[FrameInfo, Callable[[], Taken]]:
    """Description of a file, and what puts its mosaic on the shelf, where it is not already."""
    info, pixels = open_raw(file)
    if callable(pixels):
        decode = pixels
        return info, lambda: shelf.put(decode(), index)
    taken = shelf.put(pixels, index)
    return info, lambda: taken
