"""Exceptions of burstsr, and when to raise which.

Raise
- `InputFileError` when one file cannot be used: missing, truncated, unsupported (X-Trans, already demosaiced ...). Names the file.
- `BurstError` when files are valid but do not form a burst: other camera, size, CFA order or exposure. Names both files.
- `CfaError`, a `BurstError`, when a stage does not support the frames' colour filter array. Names the stage and the supported ones.
- `SettingsError` when a setting or a command line value is out of range. Names the setting, the value and the allowed range.
- `Cancelled` when the caller's `cancel` is set.
- `OutputError` when a result cannot be written, or would overwrite a foreign file. Names the path.

Errors of files are also `OSError`, and those of values `ValueError`, for callers that do not import this module. Inside burstsr, code that catches
`OSError` or `ValueError` around a call that may raise one of these must let it pass first (`except BurstsrError: raise`).

Any other exception is a bug.
"""

from __future__ import annotations

INTERRUPTED = 130  # exit status of an interrupted process, by the convention of shells: 128 + SIGINT


class BurstsrError(Exception):
    """Base of every error that burstsr raises on purpose."""


class InputFileError(BurstsrError, OSError):
    """A file cannot be read, or is not supported."""


class BurstError(BurstsrError, ValueError):
    """Files that do not form a burst."""


class CfaError(BurstError):
    """A colour filter array that a stage does not support."""


class SettingsError(BurstsrError, ValueError):
    """A setting out of its range."""


class RangeError(SettingsError):
    """A setting out of its range. name: of the setting, in Python. problem: what is allowed, and the given value.

    Callers that got the value from a user can name the option, or the line of a file, instead.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name, self.problem = name, problem

    def __str__(self) -> str:
        return f"{self.name} {self.problem}"


class Cancelled(BurstsrError):
    """Cancelled by the caller (`cancel`); nothing was written."""


class OutputError(BurstsrError, OSError):
    """A result cannot be written."""


class BusyError(OutputError):
    """Another run is processing the same result."""
