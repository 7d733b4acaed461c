"""Grouping of the frames of one folder into bursts, by similarity and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from burstsr.core.burst import FrameInfo
from burstsr.core.errors import SettingsError
from burstsr.io.consistency import first_mismatch

PAUSE_S = 2.0  # minimum pause between separate photographs
_WHOLE_SECONDS = 1.0  # maximum error of a pause where cameras record no sub-seconds
_LONGEST_NAME = 200  # bytes: suffixes and temporary names must fit into a file system's 255


@dataclass(frozen=True)
class Grouping:
    """How the frames of a folder are grouped.

    gap_s: longest pause within a burst, from the end of one exposure to the start of the next, s; inf: times are
    ignored; None: 2 s plus the exposure.
    one_burst: the frames of a folder are one burst, whatever their times. min_frames: bursts of fewer frames are ignored.
    split_exposures: frames of different exposure times or ISOs are different bursts; else they are brackets. name_by_frame: the only burst of a given folder
    is named after its first frame, as several are, not by the folder: its name does not change when there are more.
    set_frames: frames of a sensor-shift set: a burst of a multiple of them is several sets, one after the other; 0: no such sets.
    Raises SettingsError for what is out of range, and for gap_s with one_burst.
    """

    gap_s: float | None = None
    one_burst: bool = False
    min_frames: int = 1
    split_exposures: bool = False
    name_by_frame: bool = False
    set_frames: int = 0

    def __post_init__(self) -> None:
        if self.gap_s is not None and not self.gap_s >= 0:
            raise SettingsError(f"gap_s must be 0 or more seconds, not {self.gap_s}")
        if self.gap_s is not None and self.one_burst:
            raise SettingsError("gap_s and one_burst are mutually exclusive")
        if self.min_frames < 1:
            raise SettingsError(f"min_frames must be 1 or more, not {self.min_frames}")


def group_frames(infos: Iterable[FrameInfo], gap_s: float | None = None, split_exposures: bool = False) -> list[list[FrameInfo]]:
    """Group frames into bursts, the earliest burst first, each in order of capture.

    Frames of a burst agree in camera, size, CFA order, aperture and levels (not in orientation), with split_exposures also in exposure and ISO, and the
    pause between the end of one exposure and the start of the next is at most gap_s seconds. By default that is 2 s plus the exposure: a camera that takes a
    dark after a long exposure, or a telescope that saves and settles, is busy for about as long again, while single photographs are seconds apart. Only
    consecutive frames matter, so that no other frame changes a burst. A frame without a time goes with the one before it; without any times there is no split.
    """
    frames = list(infos)
    differ = partial(first_mismatch, same_exposure=True) if split_exposures else first_mismatch
    times = _filled_times(frames)
    order = sorted(range(len(frames)), key=lambda n: (times[n] or datetime.min, n))
    groups: list[list[int]] = []
    open_groups: list[list[int]] = []  # open bursts: few, however many frames there are
    for n in order:
        open_groups = [group for group in open_groups if not _ends_before(frames[group[-1]], times[group[-1]], times[n], gap_s)]
        home = next((group for group in open_groups if differ(frames[group[0]], frames[n]) is None), None)
        if home is None:
            home = []
            groups.append(home)
            open_groups.append(home)
        home.append(n)
    return [[frames[n] for n in sorted(group)] for group in groups]


def sets_of(groups: Sequence[Sequence[FrameInfo]], count: int) -> list[list[FrameInfo]]:
    """Split every group of a multiple of `count` frames into sets of that many, in its order; others are left as they are. count: 0 splits nothing."""
    found: list[list[FrameInfo]] = []
    for group in groups:
        size = count if count and len(group) % count == 0 else max(len(group), 1)
        found += [list(group[first : first + size]) for first in range(0, len(group), size)]
    return found


def belonging(infos: Sequence[FrameInfo], split_exposures: bool = False) -> tuple[list[FrameInfo], list[tuple[FrameInfo, str]]]:
    """Return the largest set of matching frames, whatever their times, and the others, each with its mismatch."""
    differ = partial(first_mismatch, same_exposure=True) if split_exposures else first_mismatch
    alike: list[list[FrameInfo]] = []
    for info in infos:
        home = next((group for group in alike if differ(group[0], info) is None), None)
        if home is None:
            alike.append([info])
        else:
            home.append(info)
    most = max(alike, key=len, default=[])
    others = []
    for info in infos:
        different = differ(most[0], info)
        if different:
            what, expected, found = different
            others.append((info, f"{info.path}: {what} {found}, but {expected} in {most[0].path}; it cannot be a frame of that burst"))
    return most, others


def names_of(groups: Sequence[Sequence[FrameInfo]], folder: str, *, below: bool, by_frame: bool = False) -> list[str]:
    """Name the bursts of a folder: a single one by the folder, others by first frames' stems, prefixed by the folder's name below a given one.

    A stem at the start of two bursts (`IMG_1.CR2` and `IMG_1.DNG`) keeps its suffix. No name depends on the other bursts or frames.
    """
    if len(groups) == 1 and not (by_frame and not below):
        return [folder]
    firsts = [group[0].path for group in groups]
    often = Counter(path.stem.casefold() for path in firsts)
    stems = [path.stem if often[path.stem.casefold()] == 1 else f"{path.stem}_{path.suffix[1:]}" for path in firsts]
    return [_fitting(f"{folder}_{stem}", stem) if below else stem for stem in stems]


def _fitting(name: str, short: str) -> str:
    return name if len(name.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME else short


def _filled_times(frames: Sequence[FrameInfo]) -> list[datetime | None]:
    """Return capture times; frames without one take that of the frame before, else after, if they match."""
    times = [info.time for info in frames]
    for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
        for n in order:
            neighbour = n - order.step
            if times[n] is None and times[neighbour] is not None and first_mismatch(frames[neighbour], frames[n]) is None:
                times[n] = times[neighbour]
    return times


def _ends_before(last: FrameInfo, end: datetime | None, start: datetime | None, gap_s: float | None) -> bool:
    """Whether a burst with that last frame, ended at `end`, is over when another frame starts."""
    if end is None or start is None:
        return (end is None) != (start is None)
    pause = (start - end).total_seconds() - last.exposure_s
    if gap_s is not None:
        return pause > gap_s
    slack = _WHOLE_SECONDS if not end.microsecond and not start.microsecond else 0.0
    return pause > PAUSE_S + last.exposure_s + slack
