"""Terminal output: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO


def echo(text: str) -> None:
    """Print a line of the result on standard output."""
    _print(text, sys.stdout)


def echo_json(value: Mapping[str, Any]) -> None:
    """Print the result as one JSON object on standard output."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    if _printable(text, sys.stdout) != text:  # JSON escapes, which every console can print
        text = json.dumps(value, indent=2, allow_nan=False, default=str)
    _print(text, sys.stdout)


def warn(text: str) -> None:
    """Print a warning on standard error."""
    _print(f"burstsr: {text}", sys.stderr)


def _print(text: str, stream: TextIO) -> None:
    print(_printable(text, stream), file=stream, flush=True)


def _printable(text: str, stream: TextIO) -> str:
    """Escape characters that the stream cannot encode, such as letters that a console lacks, or names that are not Unicode."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Format plain text columns, separated by two blanks, readable in a terminal and by `column` and `awk`. right: heads of right-aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [cell.rjust(width) if name in right else cell.ljust(width) for cell, width, name in zip(row, widths, head, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


class _ToStderr(logging.Handler):
    """Log to the current standard error, which a progress display may have replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(self.format(record))


def own_stderr() -> None:
    """Give Python's standard error a descriptor of its own: the process's own, on which C libraries print, is caught while files are decoded."""
    stream = sys.stderr
    try:
        apart = os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors=stream.errors, buffering=1)
    except (OSError, ValueError, AttributeError):  # closed, or no file
        return
    sys.stderr = sys.__stderr__ = apart  # type: ignore[misc]


def log_to_stderr(verbose: int) -> None:
    """Log to standard error from level WARNING (0), INFO (1) or DEBUG (2)."""
    logger = logging.getLogger("burstsr")
    logger.handlers = [_ToStderr()]
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])


def worker_console(verbose: int) -> None:
    """Set up the terminal output of a worker process."""
    own_stderr()
    log_to_stderr(verbose)
