"""Discovery of bursts in folders and files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from burstsr.core.burst import Burst, FrameInfo
from burstsr.core.errors import BurstError, InputFileError
from burstsr.core.parallel import thread_count
from burstsr.io import decoded
from burstsr.io.copies import copies
from burstsr.io.fits_header import is_own_fits
from burstsr.io.folders import Problem, Unit, Walk
from burstsr.io.folders import natural_order as natural_order
from burstsr.io.frames_of_file import frames_of
from burstsr.io.grouping import Grouping, belonging, group_frames, names_of, sets_of
from burstsr.io.lazy_frames import read_frames
from burstsr.io.raw import read_info
from burstsr.io.sniff import RAW_SUFFIXES as RAW_SUFFIXES
from burstsr.io.tags import is_own_result

log = logging.getLogger(__name__)
FEW = "bursts of few frames"  # kind of bursts ignored by min_frames


@dataclass(frozen=True)
class BurstFiles:
    """A burst found, not yet read. name: unique within a discovery, valid as a file name. infos: its frames, sorted by file name."""

    name: str
    infos: tuple[FrameInfo, ...]


@dataclass(frozen=True)
class Discovery:
    """Result of a discovery. problems: unusable inputs. passed_over: deliberately ignored inputs: results, copies, files reached before, short bursts."""

    bursts: tuple[BurstFiles, ...]
    problems: tuple[Problem, ...]
    passed_over: tuple[Problem, ...] = ()


def _infos(file: Path) -> list[FrameInfo | Problem]:
    """Return the description of each frame in a file, or the problem."""
    found: list[FrameInfo | Problem] = []
    try:
        for page in frames_of(file):
            found.append(read_info(page))
    except InputFileError as error:
        found.append(Problem(file, str(error)))
    return found


class KnownFiles:
    """Descriptions of files from earlier discoveries, so that those which are still the same are not opened again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], list[FrameInfo | Problem]] = {}

    def infos(self, file: Path) -> list[FrameInfo | Problem]:
        """Return the description of each frame in a file, or the problem."""
        try:
            status = file.stat()
        except OSError:
            return _infos(file)
        key = (str(file), status.st_size, status.st_mtime_ns)
        if key not in self._known:
            self._known[key] = _infos(file)
        return self._known[key]


def discover(inputs: Sequence[str | Path], grouping: Grouping | None = None, known: KnownFiles | None = None) -> Discovery:
    """Find bursts in folders and files.

    Every folder, at any depth, and the files given individually are grouped separately: by camera, size, CFA order, aperture and levels (not
    orientation), then by time, see `group_frames`. The only burst of a folder has the folder's name. Several bursts are named after their first frames,
    prefixed by the folder's name where it is a sub-folder of a given folder: adding or removing other frames changes no name.
    Raw files are recognised by suffix (ignoring case), else by content; hidden files and folders are skipped. Ignored, and listed, are results of
    this program, copies of frames in the same folder, files and folders reached before (links), and bursts of fewer than `min_frames`.
    known: from earlier discoveries, which this one adds to.
    Nothing is raised: files and folders that cannot be read, missing inputs and folders without frames become problems, and so do, with `one_burst`,
    frames that do not match the others.
    """
    decoded.forget()  # of an earlier discovery
    grouping = grouping or Grouping()
    named = [Path(i) for i in inputs]
    walk = Walk(named)
    bursts: list[BurstFiles] = []
    problems, passed_over = list(walk.problems), list(walk.passed_over)
    taken: set[str] = set()
    for unit in walk.units:
        infos = _frames(unit, problems, passed_over, known.infos if known else _infos)
        if grouping.one_burst:
            infos, others = belonging(infos, grouping.split_exposures)
            problems += [Problem(info.path, reason) for info, reason in others]
        groups = group_frames(infos, grouping.gap_s, grouping.split_exposures) if not grouping.one_burst else [infos] if infos else []
        groups = sets_of(groups, grouping.set_frames)
        for name, group in zip(names_of(groups, _folder_name(unit.folder), below=unit.below, by_frame=grouping.name_by_frame), groups, strict=True):
            name = _distinct(name, taken)
            if len(group) >= grouping.min_frames:
                bursts.append(BurstFiles(name, tuple(group)))
            else:
                files = ", ".join(info.path.name for info in group)
                reason = f"burst {name} in {unit.folder}: {len(group)} of at least {grouping.min_frames} frames ({files})"
                passed_over.append(Problem(group[0].path, reason, FEW))
    problems += [Problem(p, f"{p}: no raw frames in this folder") for p in walk.empty()]
    return Discovery(tuple(bursts), tuple(problems), tuple(passed_over))


def read_burst(paths: str | Path | Iterable[str | Path]) -> Burst:
    """Read the frames of a folder, or the given files, as one burst sorted by file name in natural order (frame_2 before frame_10).

    A folder is not grouped; copies and results of this program in it are ignored with a warning.
    Pixels of DNGs are decoded in the background: accessing `mosaic` of a frame waits for it, and raises the InputFileError of damaged pixels. Mosaics
    beyond 400 MB are kept in a temporary file, as memory-mapped arrays.
    Raises InputFileError for a file that cannot be used, BurstError for no frames, or for frames that do not match.
    """
    if isinstance(paths, str | Path):
        folder = Path(paths)
        files = _frames_in(folder) if folder.is_dir() else [folder]
        name = _folder_name(folder) if folder.is_dir() else folder.stem
        if not files:
            raise BurstError(f"{folder}: no raw frames in this folder")
    else:
        files = sorted(map(Path, paths), key=natural_order)
        name = _folder_name(files[0].parent) if files else ""
    return Burst(name, read_frames([page for file in files for page in frames_of(file)]))


def _frames_in(folder: Path) -> list[Path]:
    """Return the files of a folder's frames, in natural order. Raises InputFileError where one cannot be read."""
    walk = Walk([folder], deep=False)
    passed_over = list(walk.passed_over)
    infos = _frames(walk.units[0], walk.problems, passed_over)
    for passed in passed_over:
        log.warning("ignored: %s", passed.reason)
    if walk.problems:
        raise InputFileError(walk.problems[0].reason)
    return [info.path for info in infos]


def _frames(unit: Unit, problems: list[Problem], passed_over: list[Problem], infos: Callable[[Path], list[FrameInfo | Problem]] = _infos) -> list[FrameInfo]:
    """Read the descriptions of a unit's frames; other files become problems or, as unnamed results and copies, are ignored."""
    found: list[FrameInfo] = []
    with ThreadPoolExecutor(thread_count()) as pool:
        for result in chain.from_iterable(pool.map(infos, unit.files)):
            if not isinstance(result, Problem):
                found.append(result)
            elif unit.top is not None and (is_own_result(result.path) or is_own_fits(result.path)):
                passed_over.append(Problem(result.path, f"{result.path}: a result of burstsr, not a frame", "results of burstsr"))
            else:
                problems.append(result)
    doubles = copies(found)
    passed_over += [Problem(copy.path, f"{copy.path}: the same content as {original.path}", "copies") for copy, original in doubles]
    return [info for info in found if not any(info is copy for copy, _ in doubles)]


def _folder_name(folder: Path) -> str:
    return folder.resolve().name or "burst"


def _distinct(name: str, taken: set[str]) -> str:
    """Return `name`, or the first of name_2, name_3 ... that is free (file systems may ignore case)."""
    number, result = 1, name
    while result.casefold() in taken:
        number += 1
        result = f"{name}_{number}"
    taken.add(result.casefold())
    return result
