"""Folders to lists of raw files, ignored files, and problems."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from burstsr.io.copies import Identity, identity
from burstsr.io.sniff import holds_raw, is_backup_name, is_raw_name

_DELETED = frozenset({"$recycle.bin", "recycler"})
_OF_THE_SYSTEM = frozenset({"system volume information", "lost+found"})  # unreadable system folders, which are not reported


@dataclass(frozen=True)
class Problem:
    """An input without a usable frame, and the reason. kind: a category by which several are summarised in one line, '' where each is reported individually."""

    path: Path
    reason: str
    kind: str = ""


@dataclass
class Unit:
    """Raw files of one folder, or given together, in natural order. top: the given folder that contains `folder`; None for files given individually."""

    folder: Path
    top: Path | None
    files: list[Path] = field(default_factory=list)

    @property
    def below(self) -> bool:
        """Whether the folder was found inside a given one."""
        return self.top not in (None, self.folder)


class Walk:
    """Collects the contents of inputs, every file once. problems: what cannot be read. passed_over: raw files and folders that are ignored.

    deep: include folders below the given ones. Hidden files and folders are skipped.
    """

    def __init__(self, inputs: Sequence[Path], *, deep: bool = True) -> None:
        self._deep = deep
        self.units: list[Unit] = []
        self.problems: list[Problem] = []
        self.passed_over: list[Problem] = []
        self._seen: dict[Identity, Path] = {}
        self._links: list[tuple[Path, Unit]] = []  # links: followed last, so that their targets come first
        named = {path: _is_folder(path) for path in inputs}
        loose = [path for path, is_folder in named.items() if not is_folder]
        if loose:
            self._take(self._unit(loose[0].parent, None), loose)
        for folder in (path for path, is_folder in named.items() if is_folder):
            self._folder(folder, folder)
        while self._links:
            self._follow(*self._links.pop(0))
        for unit in self.units:
            unit.files.sort(key=natural_order)

    def empty(self) -> list[Path]:
        """Return the given folders that contain nothing to read or report, at any depth."""
        filled = {unit.top for unit in self.units if unit.files}
        reported = {folder for problem in (*self.problems, *self.passed_over) for folder in (problem.path, *problem.path.parents)}
        return [unit.folder for unit in self.units if unit.folder == unit.top and unit.top not in filled | reported]

    def _unit(self, folder: Path, top: Path | None) -> Unit:
        self.units.append(Unit(folder, top))
        return self.units[-1]

    def _folder(self, folder: Path, top: Path | None) -> None:
        """Take a folder, and those below it, which may be nested deeper than calls can be."""
        pending = [folder]
        while pending:
            pending += reversed(self._taken(pending.pop(), top))

    def _taken(self, folder: Path, top: Path | None) -> list[Path]:
        """Take the files of a folder that is not known; return the folders in it."""
        if self._is_known(folder, "folder"):
            return []
        unit, below = self._unit(folder, top), []
        files, inner = self._listed(folder)
        self._take(unit, [path for path in files if not path.is_symlink()])
        self._links += [(path, unit) for path in files if path.is_symlink()]
        for path in inner if self._deep else ():
            if path.is_symlink():
                self._links.append((path, unit))
            elif path.name.casefold() in _DELETED:
                self.passed_over.append(Problem(path, f"{path}: a folder of deleted files", "deleted"))
            else:
                below.append(path)
        return below

    def _follow(self, link: Path, unit: Unit) -> None:
        if _is_folder(link):
            self._folder(link, unit.top)
        else:
            self._take(unit, [link])

    def _take(self, unit: Unit, files: Iterable[Path]) -> None:
        """Take files, short names first: of two hard links in a folder the shorter name is most likely the original."""
        unit.files += [path for path in sorted(files, key=lambda p: (len(p.name), natural_order(p))) if not self._is_known(path, "file")]

    def _is_known(self, path: Path, what: str) -> bool:
        """Whether a file or folder was reached before; registers it. Missing ones are reported when they are read."""
        try:
            known = self._seen.setdefault(identity(path), path)
        except OSError:
            return False
        if known is not path:
            self.passed_over.append(Problem(path, f"{path}: the same {what} as {known}, through a link or given twice", f"{what} reached twice"))
        return known is not path

    def _listed(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """List raw files and folders in a folder; register problems."""
        files: list[Path] = []
        inner: list[Path] = []
        try:
            for path in folder.iterdir():
                if not path.name.startswith("."):
                    self._sort(path, files, inner)
        except OSError as error:
            reason = f"{folder}: cannot be listed ({error.strerror or error})"
            if folder.name.casefold() in _OF_THE_SYSTEM:
                self.passed_over.append(Problem(folder, reason, "unreadable system folder"))
            else:
                self.problems.append(Problem(folder, reason))
        return files, sorted(inner, key=natural_order)

    def _sort(self, path: Path, files: list[Path], inner: list[Path]) -> None:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if is_raw_name(path):
                self.problems.append(Problem(path, f"{path}: cannot be read ({error.strerror or error})"))
            return
        if stat.S_ISDIR(mode):
            inner.append(path)
        elif stat.S_ISREG(mode) and (is_raw_name(path) or holds_raw(path)):
            if is_backup_name(path):
                self.passed_over.append(Problem(path, f"{path}: by its name a backup or unfinished download", "backup"))
            else:
                files.append(path)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield what is not a folder in a folder, at any depth, even one that recursion does not reach. Linked folders are not followed."""
    pending = [folder]
    while pending:
        try:
            inside = sorted(pending.pop().iterdir())
        except OSError:
            continue
        for path in inside:
            if not path.is_symlink() and _is_folder(path):
                pending.append(path)
            elif not _is_folder(path):
                yield path


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which frame_2 comes before frame_10, whatever the case.

    >>> [p.name for p in sorted(map(Path, ["b1", "frame_10.dng", "Frame_2.dng"]), key=natural_order)]
    ['b1', 'Frame_2.dng', 'frame_10.dng']
    """
    pieces = re.findall(r"([0-9]+)|([^0-9]+)", path.name.casefold())
    return [(int(digits) if digits else 0, letters) for digits, letters in pieces], str(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
