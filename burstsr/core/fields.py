"""Settings that carry their meaning, unit, range and source as metadata, and the one validator that reads it.

A dataclass of settings declares its fields with `setting` and calls `validate(self)` in `__post_init__`; help texts, `burstsr settings` and
documentation read the same metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from numbers import Integral, Real
from typing import Any

from burstsr.core.errors import RangeError

_LONGEST = 60  # characters of a wrong value that a message repeats


def setting(
    default: bool | int | float | str | None,
    meaning: str,
    span: tuple[float, float] | None = None,
    *,
    unit: str = "",
    source: str = "",
    choices: Sequence[str] = (),
) -> Any:  # noqa: ANN401  dataclasses.field keeps its type to itself
    """A field of a settings dataclass.

    default: its type is the field's type; None: an integer, or nothing. span: least and largest value. source: the paper's value and its place.
    choices: of a string.
    """
    kind = int if default is None else type(default)
    facts = {"meaning": meaning, "unit": unit, "span": span, "source": source, "choices": tuple(choices), "kind": kind, "optional": default is None}
    return field(default=default, metadata=facts)


def validate(owner: Any, group: str = "") -> None:  # noqa: ANN401  any dataclass of settings
    """Check every field of `owner` that `setting` declared, and make it exactly of its type: NumPy's numbers and whole floats become Python's own.

    group: what stands before the fields' names in messages. Raises RangeError, naming the field, for a value of another type or out of its range.
    """
    for f in fields(owner):
        if "meaning" in f.metadata:
            name = f"{group}.{f.name}" if group else f.name
            object.__setattr__(owner, f.name, _valid(name, getattr(owner, f.name), f.metadata))


def check_range(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Raise RangeError unless `value` is a number (whole: an integer) from `low` to `high`; NaN never is."""
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):  # type: ignore[operator]
        kind = "" if is_number else "an integer " if whole else "a number "
        raise RangeError(name, f"must be {kind}between {shown(low)} and {shown(high)}, not {shown(value)}")


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """The choice that `value` names, upper or lower case alike. Raises RangeError for another value."""
    found = next((choice for choice in choices if isinstance(value, str) and value.casefold() == choice.casefold()), None)
    if found is None:
        raise RangeError(name, f"must be {' or '.join(choices) if len(choices) < 3 else 'one of ' + ', '.join(choices)}, not {shown(value)}")
    return found


def shown(value: object) -> str:
    """A value as a message repeats it: 2.0 as 2, text in quotes, none too long.

    >>> shown(2.0), shown(0.1), shown("two"), shown(float("nan"))
    ('2', '0.1', "'two'", 'nan')
    """
    try:
        text = str(value).removesuffix(".0") if isinstance(value, Real) and not isinstance(value, bool) else repr(value)
    except ValueError:  # integers of thousands of digits have no text
        return "an integer of more digits than can be printed"
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def allowed(facts: Mapping[str, Any]) -> str:
    """The range or the choices of a field's metadata, for help and documentation; '' where neither says more than the type."""
    if facts["choices"]:
        return " or ".join(facts["choices"])
    return f"{shown(facts['span'][0])} to {shown(facts['span'][1])}" if facts["span"] else ""


def _valid(name: str, value: Any, facts: Mapping[str, Any]) -> Any:  # noqa: ANN401  any setting
    kind = facts["kind"]
    if value is None and facts["optional"]:
        return None
    if kind is bool:
        if type(value).__name__ not in ("bool", "bool_"):  # NumPy's too, which is not loaded for this
            raise RangeError(name, f"must be true or false, not {shown(value)}")
        return bool(value)
    if kind is str:
        return check_choice(name, value, facts["choices"])
    check_range(name, value, *facts["span"], whole=kind is int)
    return kind(value)
