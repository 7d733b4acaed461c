"""Failures that may pass: they are worth another try, those of bad input are not."""

from __future__ import annotations

import errno

_PASSING = {
    getattr(errno, name)
    for name in ("EIO", "ENOSPC", "EDQUOT", "ENOMEM", "EAGAIN", "EBUSY", "EINTR", "EMFILE", "ENFILE", "ESTALE", "ETIMEDOUT", "ENETDOWN", "ENETRESET")
    if hasattr(errno, name)
}


def may_pass(error: BaseException) -> bool:
    """Whether an error, or what caused it, may not occur again: out of memory, a full disk, a network folder that does not answer.

    >>> may_pass(MemoryError()), may_pass(OSError(errno.EIO, "I/O error")), may_pass(ValueError("bad")), may_pass(FileNotFoundError(errno.ENOENT, "gone"))
    (True, True, False, False)
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or (isinstance(seen, OSError) and seen.errno in _PASSING):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
