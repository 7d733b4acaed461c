"""Output paths of `burstsr calibrate`: it replaces only files that it wrote itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from burstsr.core.errors import InputFileError, OutputError
from burstsr.io.owned import ADVICE

if TYPE_CHECKING:
    from burstsr.profiles.records import Record

_HEAD_BYTES = 4096


def places_of(records: Sequence[Record], output: Path | None, plot: str | None, *, profiles: bool) -> list[Path | None]:
    """Return the path of each record, or None. plot: the suffix of its plot, if any. profiles: use the user's profile folder where `output` is None.

    Raises OutputError, before anything is written, where a path holds another file.
    """
    from burstsr.profiles.folder import file_name, profile_folder

    places: list[Path | None] = []
    for record in records:
        path = output
        if path is None and profiles:
            path = profile_folder() / file_name(record)
        elif path is not None and len(records) > 1:
            path = path.with_name(f"{path.stem}-iso{record.iso:g}{path.suffix}")
        check_free(path, plot_path(plot, record, path) if plot else None)
        places.append(path)
    return places


def plot_path(kind: str, record: Record, path: Path | None) -> Path:
    """Return the path of the plot of a record that is written to `path`."""
    return (path or Path(f"{record.kind}.json")).with_suffix(f".{kind}")


def check_free(record: Path | None, plot: Path | None = None) -> None:
    """Raise OutputError where the path of a record, or of a plot, holds anything that `calibrate` did not write."""
    if record is not None and os.path.lexists(record) and not _is_record(record):
        raise OutputError(f"{record}: exists, and is not a record of burstsr calibrate; {ADVICE}")
    if plot is not None and os.path.lexists(plot) and not _is_plot(plot):
        raise OutputError(f"{plot}: exists, and is not a plot of burstsr calibrate; {ADVICE}")


def _is_record(path: Path) -> bool:
    from burstsr.profiles.files import read_record

    try:
        read_record(path)
    except InputFileError:
        return False
    return True


def _is_plot(path: Path) -> bool:
    from calibration.plots import MARK

    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False
