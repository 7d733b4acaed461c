"""Equality and hashing by content for dataclasses that hold arrays; the default implementations raise."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


class EqualByContent:
    """Base of frozen dataclasses, declared with eq=False, that are equal if all fields are; arrays if shape, dtype and values are (NaN equals NaN)."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash((type(self).__name__, *(_key(getattr(self, f.name)) for f in fields(self))))  # type: ignore[arg-type]


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401  any field
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def _key(value: Any) -> object:  # noqa: ANN401  any field
    return (value.shape, value.dtype.str, np.add(value, 0).tobytes()) if isinstance(value, np.ndarray) else value  # -0.0 is 0.0
