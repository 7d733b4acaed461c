"""Frames of one folder to bursts: what is alike and was taken in one go belongs together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from burstsr.core.burst import FrameInfo
from burstsr.core.errors import SettingsError
from burstsr.io.raw import first_mismatch

PAUSE_S = 2.0  # nobody frames another picture sooner
_WHOLE_SECONDS = 1.0  # by which a pause seems longer than it was, where cameras write no sub-seconds
_LONGEST_NAME = 200  # bytes: suffixes and temporary names must fit into a file system's 255


@dataclass(frozen=True)
class Grouping:
    """How the frames of a folder are grouped.

    gap_s: longest pause within a burst, from the end of one exposure to the beginning of the next, s; inf: times do not
    matter; None: 2 s plus the exposure.
    one_burst: whatever their times, the frames of a folder are one burst. min_frames: bursts of fewer frames are passed over.
    Raises SettingsError for what is out of range, and for gap_s with one_burst.
    """

    gap_s: float | None = None
    one_burst: bool = False
    min_frames: int = 1

    def __post_init__(self) -> None:
        if self.gap_s is not None and not self.gap_s >= 0:
            raise SettingsError(f"gap_s = {self.gap_s}: must be 0 or more seconds")
        if self.gap_s is not None and self.one_burst:
            raise SettingsError("gap_s and one_burst: a burst that is never split by time has no longest pause")
        if self.min_frames < 1:
            raise SettingsError(f"min_frames = {self.min_frames}: must be 1 or more")


def group_frames(infos: Iterable[FrameInfo], gap_s: float | None = None) -> list[list[FrameInfo]]:
    """Frames that make bursts, the earliest burst first, each burst in the order in which its frames came.

    Frames of a burst agree in camera, size, CFA order, exposure, ISO and levels (not in orientation), and between the end of one exposure and the
    beginning of the next there are at most gap_s seconds. By default that is 2 s plus the exposure: a camera that takes a dark after a long exposure, or a
    telescope that saves and settles, is busy for about as long again, while single photographs are seconds apart. Only the two frames count, so that
    no frame elsewhere changes what belongs together. A frame without a time goes with the one before it; without any times there is no split.
    """
    frames = list(infos)
    times = _filled_times(frames)
    order = sorted(range(len(frames)), key=lambda n: (times[n] or datetime.min, n))
    groups: list[list[int]] = []
    open_groups: list[list[int]] = []  # those that a later frame may still belong to: few, however many frames there are
    for n in order:
        open_groups = [group for group in open_groups if not _ends_before(frames[group[-1]], times[group[-1]], times[n], gap_s)]
        home = next((group for group in open_groups if first_mismatch(frames[group[0]], frames[n]) is None), None)
        if home is None:
            home = []
            groups.append(home)
            open_groups.append(home)
        home.append(n)
    return [[frames[n] for n in sorted(group)] for group in groups]


def belonging(infos: Sequence[FrameInfo]) -> tuple[list[FrameInfo], list[tuple[FrameInfo, str]]]:
    """The largest set of frames that agree, whatever their times, and the others, each with what keeps it out."""
    alike: list[list[FrameInfo]] = []
    for info in infos:
        home = next((group for group in alike if first_mismatch(group[0], info) is None), None)
        if home is None:
            alike.append([info])
        else:
            home.append(info)
    most = max(alike, key=len, default=[])
    others = []
    for info in infos:
        different = first_mismatch(most[0], info)
        if different:
            what, expected, found = different
            others.append((info, f"{info.path}: {what} {found}, but {expected} in {most[0].path}; it cannot be a frame of that burst"))
    return most, others


def names_of(groups: Sequence[Sequence[FrameInfo]], folder: str, *, below: bool) -> list[str]:
    """Names for the bursts of a folder: its own for an only one, else the first frames' stems, after the folder's name where it is below the one named.

    A stem that two bursts begin with (`IMG_1.CR2` and `IMG_1.DNG`) goes with its suffix. No name depends on how many bursts or frames there are besides.
    """
    if len(groups) == 1:
        return [folder]
    firsts = [group[0].path for group in groups]
    often = Counter(path.stem.casefold() for path in firsts)
    stems = [path.stem if often[path.stem.casefold()] == 1 else f"{path.stem}_{path.suffix[1:]}" for path in firsts]
    return [_fitting(f"{folder}_{stem}", stem) if below else stem for stem in stems]


def _fitting(name: str, short: str) -> str:
    return name if len(name.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME else short


def _filled_times(frames: Sequence[FrameInfo]) -> list[datetime | None]:
    """Capture times; that of the frame before, else of the one after, for those that have none, where the two agree."""
    times = [info.time for info in frames]
    for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
        for n in order:
            neighbour = n - order.step
            if times[n] is None and times[neighbour] is not None and first_mismatch(frames[neighbour], frames[n]) is None:
                times[n] = times[neighbour]
    return times


def _ends_before(last: FrameInfo, end: datetime | None, start: datetime | None, gap_s: float | None) -> bool:
    """Whether a burst with that last frame, begun at `end`, is over when another frame begins."""
    if end is None or start is None:
        return (end is None) != (start is None)
    pause = (start - end).total_seconds() - last.exposure_s
    if gap_s is not None:
        return pause > gap_s
    slack = _WHOLE_SECONDS if not end.microsecond and not start.microsecond else 0.0
    return pause > PAUSE_S + last.exposure_s + slack
