"""Other libraries' readers on files that anybody may have made: they raise anything on damaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from burstsr.core.errors import BurstsrError, InputFileError


@contextmanager
def foreign_reader(path: Path, problem: str) -> Iterator[None]:
    """Turn whatever a library raises on a file into InputFileError, which names the file and the problem; MemoryError stays what it is."""
    try:
        yield
    except (BurstsrError, MemoryError):
        raise
    except Exception as error:
        said = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputFileError(f"{path}: {problem} ({said or type(error).__name__})") from error
