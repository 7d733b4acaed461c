"""Loading of weights: the architecture is recognised by names and shapes. Nothing in a file is executed.

`find` (without torch) returns the file of a model's name; `load` builds the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from single.loading.registry import NAMES, Weights, find, models_folder

if TYPE_CHECKING:
    from single.loading.stage import Loaded

__all__ = ["NAMES", "Weights", "find", "load", "models_folder"]


def load(weights: Weights) -> Loaded:
    """Load the network of weights that `find` found, in evaluation mode, on the CPU. Raises InputFileError, SettingsError."""
    from single.loading.stage import loaded

    return loaded(weights)
