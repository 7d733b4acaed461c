"""Reading and writing of records: JSON or, by the suffix .toml, TOML. The `units` table in a file is documentation and is not read."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from burstsr.core.errors import BurstsrError, InputFileError, SettingsError
from burstsr.core.fields import shown
from burstsr.core.tables import read_json, read_toml, toml_value
from burstsr.io.atomic import atomic
from burstsr.profiles.records import KINDS, Record

SUFFIXES = (".json", ".toml")
_TYPE_NAMES = {float: "a finite number", int: "an integer", str: "text"}


def to_dict(record: Record) -> dict[str, Any]:
    """Return a record ready for JSON: its kind, its known fields, their units."""
    known = {f.name: getattr(record, f.name) for f in fields(record) if getattr(record, f.name) is not None}
    units = {f.name: f.metadata["unit"] for f in fields(record) if f.name in known}
    return {"kind": record.kind, **_lists(known), "units": units}


def write_record(path: Path, record: Record) -> None:
    """Write a record atomically. Raises SettingsError for a suffix other than .json and .toml, OutputError."""
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"{path}: the name of a record must end in {' or '.join(SUFFIXES)}")
    value = to_dict(record)
    text = _toml_text(value) if path.suffix.lower() == ".toml" else json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_record(path: Path) -> Record:
    """Read a record. Raises InputFileError, naming the file, for other files, and for missing, unknown or invalid fields."""
    value = read_toml(path) if path.suffix.lower() == ".toml" else read_json(path)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputFileError(f"{path}: not a record of burstsr calibrate; its kind must be one of {', '.join(KINDS)}, not {shown(kind)}")
    record_type = KINDS[kind]
    hints = {f.name: hint for f, hint in ((f, get_type_hints(record_type)[f.name]) for f in fields(record_type))}
    given = {name: item for name, item in value.items() if name not in ("kind", "units")}
    unknown = sorted(set(given) - set(hints))
    absent = sorted(name for name in set(hints) - set(given) if type(None) not in get_args(hints[name]))
    if unknown or absent:
        raise InputFileError(f"{path}: {'unknown' if unknown else 'missing'} {', '.join(unknown or absent)} in a record of kind {kind!r}")
    try:
        return record_type(**{name: _converted(item, hints[name], name) for name, item in given.items()})
    except (ValueError, TypeError, BurstsrError) as error:
        raise InputFileError(f"{path}: {error}") from error


def _converted(value: Any, hint: Any, name: str) -> Any:  # noqa: ANN401  any field
    """Convert `value` of a file to a field of type `hint`. Raises ValueError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _converted(value, next(a for a in arguments if a is not type(None)), name)
    if origin is tuple and isinstance(value, list):
        endless = len(arguments) == 2 and arguments[1] is Ellipsis
        if not endless and len(value) != len(arguments):
            raise ValueError(f"{name} must have {len(arguments)} values, not {len(value)}")
        return tuple(_converted(v, arguments[0] if endless else arguments[i], name) for i, v in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        return {str(key): _converted(v, arguments[1], f"{name}.{key}") for key, v in value.items()}
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    if hint in (int, str) and type(value) is hint:
        return value
    raise ValueError(f"{name} must be {_TYPE_NAMES.get(hint, 'a list')}, not {shown(value)}")


def _lists(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _lists(v) for key, v in value.items()}
    if isinstance(value, float):
        return float(value)  # NumPy's floats are floats, but their repr differs
    return [_lists(v) for v in value] if isinstance(value, tuple | list) else value


def _toml_text(value: Mapping[str, Any]) -> str:
    lines = [f"{key} = {toml_value(v)}" for key, v in value.items() if key != "units"]
    return "\n".join([*lines, "", "[units]", *(f"{key} = {toml_value(v)}" for key, v in value["units"].items()), ""])
