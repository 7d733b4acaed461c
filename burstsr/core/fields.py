"""Settings with meaning, unit, range and source as metadata, and their validator.

A dataclass of settings declares its fields with `setting` and calls `validate(self)` in `__post_init__`; help texts, `burstsr settings` and
documentation read the same metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from numbers import Integral, Real
from typing import Any

from burstsr.core.errors import RangeError

_LONGEST = 60  # characters of an invalid value that a message repeats


def setting(
    default: bool | int | float | str | None,
    meaning: str,
    span: tuple[float, float] | None = None,
    *,
    unit: str = "",
    source: str = "",
    choices: Sequence[str] = (),
) -> Any:  # noqa: ANN401  dataclasses.field keeps its type to itself
    """Declare a field of a settings dataclass.

    default: its type is the type of the field; None: an optional integer. span: smallest and largest value. source: the value of the paper and
    where it is given. choices: allowed values of a string.
    """
    kind = int if default is None else type(default)
    facts = {"meaning": meaning, "unit": unit, "span": span, "source": source, "choices": tuple(choices), "kind": kind, "optional": default is None}
    return field(default=default, metadata=facts)


def validate(owner: Any, group: str = "") -> None:  # noqa: ANN401  any dataclass of settings
    """Check every field of `owner` that `setting` declared, and convert it to exactly its type: NumPy numbers and integral values become Python's own.

    group: prefix of the fields' names in messages. Raises RangeError, naming the field, for a value of the wrong type or out of range.
    """
    for f in fields(owner):
        if "meaning" in f.metadata:
            name = f"{group}.{f.name}" if group else f.name
            object.__setattr__(owner, f.name, _valid(name, getattr(owner, f.name), f.metadata))


def check_range(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Raise RangeError unless `value` is a number (whole: an integer) from `low` to `high`; NaN never is valid."""
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):  # type: ignore[operator]
        kind = "" if is_number else "an integer " if whole else "a number "
        raise RangeError(name, f"must be {kind}between {shown(low)} and {shown(high)}, not {shown(value)}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return the choice that `value` names, ignoring case. Raises RangeError for any other value."""
    found = next((choice for choice in choices if isinstance(value, str) and value.casefold() == choice.casefold()), None)
    if found is None:
        raise RangeError(name, f"must be {' or '.join(choices) if len(choices) < 3 else 'one of ' + ', '.join(choices)}, not {shown(value)}")
    return found


def shown(value: object) -> str:
    """Format a value for a message: 2.0 as 2, text in quotes, long values truncated.

    >>> shown(2.0), shown(0.1), shown("two"), shown(float("nan"))
    ('2', '0.1', "'two'", 'nan')
    """
    try:
        text = str(value).removesuffix(".0") if isinstance(value, Real) and not isinstance(value, bool) else repr(value)
    except ValueError:  # Python does not convert integers of thousands of digits
        return "an integer of more digits than can be printed"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def allowed(facts: Mapping[str, Any]) -> str:
    """Format the range or the choices of a field for help and documentation; '' where the type says it all."""
    if facts["choices"]:
        return " or ".join(facts["choices"])
    return f"{shown(facts['span'][0])} to {shown(facts['span'][1])}" if facts["span"] else ""


def _valid(name: str, value: Any, facts: Mapping[str, Any]) -> Any:  # noqa: ANN401  any setting
    kind = facts["kind"]
    if value is None and facts["optional"]:
        return None
    if kind is bool:
        if type(value).__name__ not in ("bool", "bool_"):  # also NumPy's, without importing it
            raise RangeError(name, f"must be true or false, not {shown(value)}")
        return bool(value)
    if kind is str and not facts["choices"]:
        if not isinstance(value, str):
            raise RangeError(name, f"must be text, not {shown(value)}")
        return str(value)
    if kind is str:
        return check_choice(name, value, facts["choices"])
    check_range(name, value, *facts["span"], whole=kind is int)
    return kind(value)


def parsed_crop(text: str) -> tuple[int, int, int, int]:
    """Return the numbers of "Y,X,H,W". Raises RangeError for anything else.

    >>> parsed_crop("0, 16, 480, 640")
    (0, 16, 480, 640)
    """
    try:
        top, left, height, width = (int(part) for part in text.split(","))
    except ValueError:
        top = left = height = width = -1
    if min(top, left) < 0 or min(height, width) < 1:
        raise RangeError("crop", f"must be Y,X,H,W, such as 400,600,512,512: first row and column, height and width in raw pixels, not {text!r}")
    return top, left, height, width
