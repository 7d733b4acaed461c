"""What can go wrong, as classes a caller can tell apart.

Throw
- `InputFileError` when one file cannot be used: missing, truncated, of a kind we refuse (X-Trans, already demosaiced ...). Names the file.
- `BurstError` when files are fine alone and do not make a burst together: other camera, size, CFA order or exposure. Names both files.
- `SettingsError` when a setting or a command line value is out of range. Names the setting, the value and what is allowed.
- `Cancelled` when the caller's `cancel` said so.
- `OutputError` when a result cannot be written, or would overwrite what must stay. Names the path.

Errors of files are `OSError` too, and those of values `ValueError`, for callers who know nothing of this module. Within it that is a trap: whoever
catches an `OSError` or a `ValueError` around a call that may raise one of these lets it pass first (`except BurstsrError: raise`).

Anything else that leaves the program is a bug of ours.
"""

from __future__ import annotations

INTERRUPTED = 130  # exit status of a process that Ctrl-C ended, as shells count it: 128 + SIGINT


class BurstsrError(Exception):
    """Base of every error that burstsr raises on purpose."""


class InputFileError(BurstsrError, OSError):
    """A file cannot be read, or holds what the program refuses."""


class BurstError(BurstsrError, ValueError):
    """Files that are not one burst."""


class SettingsError(BurstsrError, ValueError):
    """A setting out of its range."""


class RangeError(SettingsError):
    """One setting out of its range. name: of the setting, as Python has it. problem: what is allowed, and the value that was given.

    Whoever took the value from a user can say the same of the option, or the line of a file, that the user knows.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name, self.problem = name, problem

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


class Cancelled(BurstsrError):
    """Whoever called said so (`cancel`); nothing was written."""


class OutputError(BurstsrError, OSError):
    """A result cannot be written."""


class BusyError(OutputError):
    """Another run is at work on the same result."""
