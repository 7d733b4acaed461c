"""Atomic sets of files: written to a hidden folder and then moved to their destination, the record last."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burstsr.batch.locks import WORK, key_of, locked
from burstsr.core.errors import BurstsrError, OutputError
from burstsr.io.atomic import sync_folder
from burstsr.io.owned import EARLIER, OUTPUTS, ResultFiles, entry, json_bytes, unchanged

_READY = ".ready"  # suffix: completely written, being moved; the next run continues
_PREVIOUS = "previous"


@dataclass
class Staging:
    """folder: where to write the files. record: their record, to be set before leaving the context."""

    folder: Path
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A result locked by this run. work: the hidden folder beside it. key: prefix of the names in it."""

    files: ResultFiles
    work: Path
    key: str

    @contextmanager
    def staged(self, names: Sequence[str], *, adds: bool = False) -> Iterator[Staging]:
        """Provide an empty folder for the files `names`; on leaving the context they replace those of the result, then the record that lists them.

        adds: other files of the record remain part of this result. Foreign files are never replaced, even if they appear meanwhile. On an error
        or an interrupt nothing is changed; a run that is killed while moving files is completed by the next. Raises OutputError.
        """
        files = self.files
        partial: Path | None = None
        try:
            partial = Path(tempfile.mkdtemp(prefix=f"{self.key}-", dir=self.work))
            staging = Staging(partial, {})
            yield staging
            self._write_record(staging, names, adds)
            for name in (*names, files.record):
                _sync(partial / name)
            sync_folder(partial)
            reason = files.obstacle((*names, files.record))
            if reason:
                raise OutputError(reason)
            ready = partial.with_name(partial.name + _READY)
            os.rename(partial, ready)
            partial = None
            sync_folder(self.work)
            _move_in(files, ready)
        except BurstsrError:
            raise
        except OSError as error:
            raise OutputError(f"{files.folder / files.record}: cannot be written ({error.strerror or error})") from error
        finally:
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)

    def _write_record(self, staging: Staging, names: Sequence[str], adds: bool) -> None:
        """Write the record, which lists the new files, and earlier ones that still exist."""
        files = self.files
        old = files.read()
        kept = {key: self._kept(old, key, names) for key in (OUTPUTS, EARLIER) if old is not None and (key == OUTPUTS or OUTPUTS in old)}
        before, long_before = kept.get(OUTPUTS, []), kept.get(EARLIER, [])
        outputs = [entry(staging.folder / name) for name in names]
        outputs, earlier = (before + outputs, long_before) if adds else (outputs, before + long_before)
        record = {**{k: v for k, v in staging.record.items() if k != EARLIER}, OUTPUTS: outputs, **({EARLIER: earlier} if earlier else {})}
        (staging.folder / files.record).write_bytes(json_bytes(record))

    def _kept(self, old: Mapping[str, Any], key: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the entries of the old record under `key` for files that still exist, except `names`, which are being replaced."""
        files = self.files
        kept = []
        for name, listed in files.listed(old, key).items():
            path = files.folder / name
            if name in names or not path.is_file():
                continue
            if "sha256" in listed:
                kept.append(listed)
            elif unchanged(path, listed, files.folder / files.record):
                kept.append(entry(path))
        return kept


@contextmanager
def claimed(files: ResultFiles) -> Iterator[Claim]:
    """Lock a result for this run. What a killed run left is removed or, where it was complete, moved into place.

    Raises BusyError where another run holds it; OutputError where nothing can be written.
    """
    with locked(files.folder, files.record) as (work, key):
        for left in sorted(work.glob(f"{key}-*")):
            if left.name.endswith(_READY):
                try:
                    _move_in(files, left)
                except BurstsrError:
                    raise
                except OSError as error:
                    raise OutputError(f"{files.folder / files.record}: cannot be written ({error.strerror or error})") from error
            else:
                shutil.rmtree(left, ignore_errors=True)
        yield Claim(files, work, key)


def unfinished(files: ResultFiles) -> bool:
    """Whether a killed run wrote the complete result without moving it: `claimed` will."""
    return any((files.folder / WORK).glob(f"{key_of(files.record)}-*{_READY}"))


def _move_in(files: ResultFiles, ready: Path) -> None:
    """Move files into place, the record last; files already moved stay. The old record is moved first, so that no partial result counts as complete."""
    target, previous = files.folder / files.record, ready / _PREVIOUS
    new = files.read(ready / files.record)
    if new is not None:
        waiting = [name for name in files.listed(new, OUTPUTS) if (ready / name).is_file() and not _same(ready / name, files.folder / name)]
        moved = previous.exists()
        reason = files.obstacle(waiting if moved else [*waiting, files.record], record=previous if moved else None)
        if reason:
            raise OutputError(reason)
        if not moved and target.exists():
            os.replace(target, previous)
            sync_folder(files.folder)
        for name in (*waiting, files.record):
            _move(ready / name, files.folder / name)
        sync_folder(files.folder)
    shutil.rmtree(ready, ignore_errors=True)


def _move(source: Path, target: Path) -> None:
    """Move a file to a free path, or over one of ours; a file that appears in between is not replaced, if the file system supports that."""
    if not os.path.lexists(target):
        try:
            os.link(source, target)
        except FileExistsError:
            raise OutputError(f"{target}: appeared during the run and is not replaced; move it and try again") from None
        except OSError:  # the file system has no hard links
            os.replace(source, target)
        return
    os.replace(source, target)


def _same(one: Path, other: Path) -> bool:
    """Whether a file was already moved, apart from its old name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _sync(path: Path) -> None:
    """A file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
