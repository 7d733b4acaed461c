"""Old names of arguments, which are still taken for one release."""

from __future__ import annotations

import warnings
from typing import TypeVar

from burstsr.core.errors import SettingsError

_T = TypeVar("_T")


def renamed_argument(new_name: str, new: _T | None, old_name: str, old: _T | None) -> _T | None:
    """The value of an argument that may be given under its old name, which warns. Raises SettingsError where both are given."""
    if old is None:
        return new
    if new is not None:
        raise SettingsError(f"{new_name} and {old_name} are one argument, by its new and its old name: give {new_name} alone")
    warnings.warn(f"the argument {old_name} is {new_name} now", DeprecationWarning, stacklevel=3)
    return old
