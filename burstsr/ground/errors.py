"""What can go wrong, as classes a caller can tell apart.

Throw
- `InputFileError` when one file cannot be used: missing, truncated, of a kind we refuse (X-Trans, already demosaiced ...). Names the file.
- `BurstError` when files are fine alone and do not make a burst together: other camera, size, CFA order or exposure. Names both files.
- `SettingsError` when a setting or a command line value is out of range. Names the setting, the value and what is allowed.
- `OutputError` when a result cannot be written, or would overwrite what must stay. Names the path.

Anything else that leaves the program is a bug of ours.
"""

from __future__ import annotations


class BurstsrError(Exception):
    """Base of every error that burstsr raises on purpose."""


class InputFileError(BurstsrError):
    """A file cannot be read, or holds what the program refuses."""


class BurstError(BurstsrError):
    """Files that are not one burst."""


class SettingsError(BurstsrError):
    """A setting out of its range."""


class OutputError(BurstsrError):
    """A result cannot be written."""
