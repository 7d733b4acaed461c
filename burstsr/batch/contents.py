"""What tells a file's content from another's of the same name, size and time, at the cost of three short reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BYTES = 1 << 14  # of each part
_DIGITS = 16


def content_of(path: Path) -> str:
    """Return a digest of the beginning, the middle and the end of a file. Raises OSError.

    Frames of a camera differ in all of them: in their metadata, and in the noise of compressed samples. It is no proof that nothing else was changed.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for start in sorted({0, max(size // 2 - _BYTES // 2, 0), max(size - _BYTES, 0)}):
            file.seek(start)
            digest.update(file.read(_BYTES))
    return digest.hexdigest()[:_DIGITS]
