"""Folders and files to bursts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from burstsr.files.background import read_frames
from burstsr.files.raw import difference, read_info
from burstsr.ground.burst import Burst, FrameInfo
from burstsr.ground.errors import BurstError, InputFileError
from burstsr.ground.threads import thread_count

# what LibRaw opens; matters for the content of folders only: files that are named are tried whatever their names
RAW_SUFFIXES = frozenset(
    ".3fr .ari .arw .bay .cap .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kc2 .kdc .mdc .mef .mos .mrw .nef .nrw .orf .ori "
    ".pef .ptx .pxn .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .sti .x3f".split()
)
SHORTEST_GAP_S = 2.0  # two frames closer than this are never split
GAP_INTERVALS = 4.0  # a gap this many median intervals long, plus the exposure, ends a burst


@dataclass(frozen=True)
class BurstFiles:
    """A burst found, not yet read. name: distinct within a discovery, fit for a file name. infos: its frames, sorted by file name."""

    name: str
    infos: tuple[FrameInfo, ...]


@dataclass(frozen=True)
class Problem:
    """An input that gave no frame, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Discovery:
    """What inputs hold."""

    bursts: tuple[BurstFiles, ...]
    problems: tuple[Problem, ...]


def discover(inputs: Sequence[str | Path]) -> Discovery:
    """Bursts in folders and files.

    A folder's sub-folders are a burst each, at any depth, and not split: a mixed one is refused when it is read. Frames that lie in a named folder
    itself, or are named one by one, are grouped by camera, size, CFA order, exposure, ISO and levels (not orientation), then split where the time
    from one frame to the next exceeds max(2 s, 4 x the median of these times + the exposure); without times there is no split.
    Hidden files and what is not raw by its suffix (upper or lower case) are passed over in folders. Nothing is raised: files that cannot be read,
    missing inputs and folders without frames become problems.
    """
    bursts: list[BurstFiles] = []
    problems: list[Problem] = []
    taken: set[str] = set()

    def add(name: str, groups: Sequence[Sequence[FrameInfo]]) -> None:
        for number, group in enumerate(groups, 1):
            wanted = name if len(groups) == 1 else f"{name}_{number:03d}"
            bursts.append(BurstFiles(_distinct(wanted, taken), tuple(group)))

    named = [Path(i) for i in inputs]
    loose = list(dict.fromkeys(p for p in named if not p.is_dir()))
    if loose:
        add(_folder_name(loose[0].parent), group_frames(_infos(loose, problems)))
    for folder in dict.fromkeys(p for p in named if p.is_dir()):
        try:
            flat, inner = frames_in(folder), [(d, frames_in(d)) for d in _folders_below(folder)]
        except OSError as error:
            problems.append(Problem(folder, f"{folder}: cannot be listed ({error.strerror or error})"))
            continue
        add(_folder_name(folder), group_frames(_infos(flat, problems)))
        for below, files in inner:
            infos = _infos(files, problems)
            add(_folder_name(below), [infos] if infos else [])
        if not flat and not any(files for _, files in inner):
            problems.append(Problem(folder, f"{folder}: no raw frames in this folder"))
    return Discovery(tuple(bursts), tuple(problems))


def read_burst(paths: str | Path | Iterable[str | Path]) -> Burst:
    """The frames of a folder, or the given files, as one burst sorted by file name; numbers in names count as numbers (frame_2 before frame_10).

    DNGs' pixels are decoded in the background: who asks for a frame's `mosaic` waits for it, and gets the InputFileError of damaged pixels. What exceeds
    400 MB of mosaics lies in a temporary file, and is an array all the same.
    Raises InputFileError for a file that cannot be used, BurstError for none at all, or for frames that do not belong together.
    """
    if isinstance(paths, str | Path):
        folder = Path(paths)
        files = frames_in(folder) if folder.is_dir() else [folder]
        name = _folder_name(folder) if folder.is_dir() else folder.stem
        if not files:
            raise BurstError(f"{folder}: no raw frames in this folder")
    else:
        files = sorted(map(Path, paths), key=natural_order)
        name = _folder_name(files[0].parent) if files else ""
    return Burst(name, read_frames(files))


def frames_in(folder: Path) -> list[Path]:
    """Raw files in a folder, not below it, by suffix; hidden ones left out; in natural order."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in RAW_SUFFIXES and not p.name.startswith(".") and p.is_file()]
    return sorted(files, key=natural_order)


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which frame_2 comes before frame_10, whatever the case.

    >>> [p.name for p in sorted(map(Path, ["b1", "frame_10.dng", "Frame_2.dng"]), key=natural_order)]
    ['b1', 'Frame_2.dng', 'frame_10.dng']
    """
    pieces = re.findall(r"([0-9]+)|([^0-9]+)", path.name.casefold())
    return [(int(digits) if digits else 0, letters) for digits, letters in pieces], str(path)


def group_frames(infos: Iterable[FrameInfo]) -> list[list[FrameInfo]]:
    """Frames that make bursts, in order of time (else of name); see `discover` for the rule."""
    alike: list[list[FrameInfo]] = []
    for info in infos:
        for group in alike:
            if difference(group[0], info) is None:
                group.append(info)
                break
        else:
            alike.append([info])
    groups = [part for group in alike for part in _split_by_time(group)]
    if all(info.time is not None for group in groups for info in group):
        groups.sort(key=lambda group: min(info.time for info in group if info.time is not None))
    return groups


def _split_by_time(infos: list[FrameInfo]) -> list[list[FrameInfo]]:
    timed = [(info.time, n) for n, info in enumerate(infos) if info.time is not None]
    if len(timed) < len(infos) or len(infos) < 2:
        return [infos]
    timed.sort()
    gaps = [(b - a).total_seconds() for (a, _), (b, _) in zip(timed, timed[1:], strict=False)]
    longest = max(SHORTEST_GAP_S, GAP_INTERVALS * median(gaps) + infos[0].exposure_s)
    parts = [[timed[0][1]]]
    for gap, (_, n) in zip(gaps, timed[1:], strict=True):
        if gap > longest:
            parts.append([])
        parts[-1].append(n)
    return [[infos[n] for n in sorted(part)] for part in parts]


def _infos(files: Iterable[Path], problems: list[Problem]) -> list[FrameInfo]:
    found: list[FrameInfo] = []
    with ThreadPoolExecutor(thread_count()) as pool:
        for result in pool.map(_info, sorted(files, key=natural_order)):
            if isinstance(result, Problem):
                problems.append(result)
            else:
                found.append(result)
    return found


def _info(file: Path) -> FrameInfo | Problem:
    try:
        return read_info(file)
    except InputFileError as error:
        return Problem(file, str(error))


def _folders_below(folder: Path) -> list[Path]:
    inner = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    return [found for p in sorted(inner, key=natural_order) for found in (p, *([] if p.is_symlink() else _folders_below(p)))]


def _folder_name(folder: Path) -> str:
    return folder.resolve().name or "burst"


def _distinct(name: str, taken: set[str]) -> str:
    """`name`, or with _2, _3 ... the first that is not taken (file systems may ignore case)."""
    number, result = 1, name
    while result.casefold() in taken:
        number += 1
        result = f"{name}_{number}"
    taken.add(result.casefold())
    return result
