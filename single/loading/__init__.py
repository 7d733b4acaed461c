"""Weights from files: whose network they are, told from their names and shapes, and the network itself. Nothing in a file is ever executed.

`find` (without torch) says which file a model's name means; `load` makes the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from single.loading.registry import NAMES, Weights, find, models_folder

if TYPE_CHECKING:
    from single.loading.stage import Loaded

__all__ = ["NAMES", "Weights", "find", "load", "models_folder"]


def load(weights: Weights) -> Loaded:
    """The network of weights that `find` found, in evaluation mode, on the CPU. Raises InputFileError, SettingsError."""
    from single.loading.stage import loaded

    return loaded(weights)
