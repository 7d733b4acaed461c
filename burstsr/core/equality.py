"""Equality and hashing by content for dataclasses that hold arrays: what Python makes of them raises."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


def same_content(a: object, b: object) -> bool:
    """Whether two instances of one dataclass have equal fields; arrays are equal if shape, type and values are, NaN equal to NaN."""
    return type(a) is type(b) and all(_same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))  # type: ignore[arg-type]


def content_hash(owner: object) -> int:
    """A hash by the fields of a dataclass; of arrays by their bytes."""
    return hash((type(owner).__name__, *(_key(getattr(owner, f.name)) for f in fields(owner))))  # type: ignore[arg-type]


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401  any field
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def _key(value: Any) -> object:  # noqa: ANN401  any field
    return (value.shape, value.dtype.str, value.tobytes()) if isinstance(value, np.ndarray) else value
