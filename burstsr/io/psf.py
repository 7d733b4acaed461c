"""Reading of measured point spread functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import BurstsrError, InputFileError
from burstsr.io.images import read_image

_TEXT = (".txt", ".csv")


def read_psf(path: Path) -> NDArray[np.float64]:
    """Read (odd, odd) weights, normalised to sum 1: rows of numbers in a .txt or .csv, an .npy array, or a greyscale image whose values are the weights.

    Raises InputFileError for anything else.
    """
    try:
        if path.suffix.lower() in _TEXT:
            weights = np.loadtxt(path, delimiter="," if "," in path.read_text(encoding="utf-8") else None, ndmin=2)
        elif path.suffix.lower() == ".npy":
            weights = np.load(path, allow_pickle=False)
        else:
            weights = read_image(path).rgb.mean(axis=2)
    except BurstsrError:
        raise
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputFileError(f"{path}: not a readable point spread function ({error})") from error
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or not all(length % 2 for length in weights.shape) or not np.isfinite(weights).all() or not weights.sum() > 0:
        raise InputFileError(f"{path}: point spread function of shape {weights.shape}; must have odd side lengths, finite values and a positive sum")
    return np.asarray(weights / weights.sum())
