"""Files that belong together appear together: they are written to a hidden folder and then moved to their place, the record last."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from burstsr.ground.errors import OutputError


@contextmanager
def staged(folder: Path, title: str, names: Sequence[str]) -> Iterator[Path]:
    """A fresh folder to write the files `names` to; on leaving they replace those in `folder`, the last name, their record, last.

    Before anything is replaced the old record goes: so a set that is killed between two moves does not count as done. On an error, or an
    interrupt, nothing in `folder` is touched. What a killed run left is removed by the next. Raises OutputError, naming `title`.
    """
    partial = folder / f".{title}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        for name in names:
            with open(partial / name, "rb") as file:
                os.fsync(file.fileno())
        (folder / names[-1]).unlink(missing_ok=True)
        for name in names:
            os.replace(partial / name, folder / name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot write {title} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
