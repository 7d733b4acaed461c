"""Files that belong together appear together: they are written to a hidden folder and then moved to their place, the record last."""

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

_READY = ".ready"  # all is written, and is being moved: who comes next goes on with it
_PREVIOUS = "previous"


@dataclass
class Staging:
    """folder: where to write the files. record: what they are; set it before leaving."""

    folder: Path
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """A result that no other run touches. work: the hidden folder beside it. key: how the names of what is in there begin."""

    files: ResultFiles
    work: Path
    key: str

    @contextmanager
    def staged(self, names: Sequence[str], *, adds: bool = False) -> Iterator[Staging]:
        """A fresh folder for the files `names`; on leaving they replace those of the result, and then the record does, which names them.

        adds: other files that the record named go on being of this result. What is not ours is never replaced, be it that it appeared meanwhile. On an error,
        or an interrupt, nothing is touched; a run that is killed while it moves files is completed by the next. Raises OutputError.
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
        """Write the record, which names the new files, and those of before that are still there."""
        files = self.files
        old = files.read()
        kept = {key: self._kept(old, key, names) for key in (OUTPUTS, EARLIER) if old is not None and (key == OUTPUTS or OUTPUTS in old)}
        before, long_before = kept.get(OUTPUTS, []), kept.get(EARLIER, [])
        outputs = [entry(staging.folder / name) for name in names]
        outputs, earlier = (before + outputs, long_before) if adds else (outputs, before + long_before)
        record = {**{k: v for k, v in staging.record.items() if k != EARLIER}, OUTPUTS: outputs, **({EARLIER: earlier} if earlier else {})}
        (staging.folder / files.record).write_bytes(json_bytes(record))

    def _kept(self, old: Mapping[str, Any], key: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """What the old record said under `key` of files that are still there, but for `names`, which are being replaced."""
        files = self.files
        kept = []
        for name, said in files.listed(old, key).items():
            path = files.folder / name
            if name in names or not path.is_file():
                continue
            if "sha256" in said:
                kept.append(said)
            elif unchanged(path, said, files.folder / files.record):
                kept.append(entry(path))
        return kept


@contextmanager
def claimed(files: ResultFiles) -> Iterator[Claim]:
    """The result for this run alone. What a killed run left is removed, or, where all was written, completed.

    Raises BusyError where another run is at work on it; OutputError where nothing can be written.
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
    """Whether a killed run wrote all of the result and did not come to move it: `claimed` will."""
    return any((files.folder / WORK).glob(f"{key_of(files.record)}-*{_READY}"))


def _move_in(files: ResultFiles, ready: Path) -> None:
    """Move files to their place, the record last; what had been moved already stays. The old record goes first, so that no half of a result counts as one."""
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
    """To where nothing is, or what is ours; what appears in between is not replaced, where the file system can tell."""
    if not os.path.lexists(target):
        try:
            os.link(source, target)
        except FileExistsError:
            raise OutputError(f"{target}: appeared during the run and is not replaced; move it and try again") from None
        except OSError:  # no links here
            os.replace(source, target)
        return
    os.replace(source, target)


def _same(one: Path, other: Path) -> bool:
    """Whether a file was moved, but for its old name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _sync(path: Path) -> None:
    """A file to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
