"""The eight TIFF/EXIF orientations."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T", bound=np.generic)
_INVERSE = {6: 8, 8: 6}


def orient(array: NDArray[_T], code: int) -> NDArray[_T]:
    """Rotate and flip (H, W, ...) `array`, as stored, upright by EXIF `code` 1 to 8, as a view; codes 5 to 8 swap height and width.

    >>> orient(np.array([[1, 2], [3, 4]]), 6).tolist()
    [[3, 1], [4, 2]]
    """
    turned: dict[int, Any] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: a[::-1].swapaxes(0, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: a[:, ::-1].swapaxes(0, 1),
    }
    result: NDArray[_T] = turned[code](array)
    return result


def unorient(array: NDArray[_T], code: int) -> NDArray[_T]:
    """Invert `orient`: return a view of upright `array` as stored with EXIF `code`."""
    return orient(array, _INVERSE.get(code, code))
