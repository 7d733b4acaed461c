"""The output folder of a training: files are replaced only if a training wrote them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from burstsr.core.errors import OutputError
from burstsr.io.atomic import atomic
from burstsr.io.owned import ADVICE


def begin(log: Path, head: str, others: Sequence[str]) -> None:
    """Write a log with only its `head` unless the folder has one: it marks the files named `others` beside it as ours.

    So an unwritable folder is noticed before training, too. Raises OutputError for a file of these names that no training wrote.
    """
    if os.path.lexists(log.parent) and not log.parent.is_dir():
        raise OutputError(f"{log.parent}: is a file; must be a folder")
    if _begins_with(log, head):
        return
    for name in (log.name, *others):
        path = log.with_name(name)
        if os.path.lexists(path):
            raise OutputError(f"{path}: exists, and there is no {log.name} of a training beside it; {ADVICE}")
    with atomic(log) as temporary:
        temporary.write_text(head + "\n", encoding="utf-8")


def _begins_with(path: Path, head: str) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\r\n") == head
    except (OSError, UnicodeDecodeError):
        return False
