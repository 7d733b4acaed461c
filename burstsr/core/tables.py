"""TOML and JSON files written by users: read with limits, and converted to settings and back."""

from __future__ import annotations

import json
import logging
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from burstsr.core.deprecated import old_names
from burstsr.core.errors import BurstsrError, InputFileError, RangeError, SettingsError
from burstsr.core.fields import allowed, shown

log = logging.getLogger(__name__)
AUTO = "auto"  # represents None in files, which TOML lacks
_LARGEST = 256 * 2**20  # bytes; for example a record of all defects of a large sensor


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark. Raises InputFileError, naming it, for other files, devices, or too large files."""
    try:
        if not path.is_file() and not str(path).startswith("/dev/fd/"):  # a device may be endless; a shell's <(...) is a /dev/fd
            raise InputFileError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
        if path.stat().st_size > _LARGEST:
            raise InputFileError(f"{path}: {path.stat().st_size} bytes; at most {_LARGEST} are read")
        return path.read_text(encoding="utf-8-sig")
    except BurstsrError:
        raise
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path}: not a text file in UTF-8 (byte {error.start}: {error.reason})") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise InputFileError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def read_json(path: Path) -> Any:  # noqa: ANN401  any JSON
    """Read the value of a JSON file. Raises InputFileError."""
    return _parsed(path, read_text(path), "JSON")


def read_toml(path: Path) -> dict[str, Any]:
    """Read the table of a TOML file. Raises InputFileError."""
    table: dict[str, Any] = _parsed(path, read_text(path), "TOML")
    return table


def read_table(path: Path) -> dict[str, Any]:
    """Read the table of a TOML file, or of a JSON file, recognised by its opening brace. Raises InputFileError."""
    text = read_text(path)
    table: dict[str, Any] = _parsed(path, text, "JSON" if text.lstrip().startswith("{") else "TOML")
    return table


def _parsed(path: Path, text: str, kind: str) -> Any:  # noqa: ANN401  any JSON or TOML
    try:
        return json.loads(text) if kind == "JSON" else tomllib.loads(text)
    except RecursionError as error:
        raise InputFileError(f"{path}: not a readable {kind} file (nested too deeply)") from error
    except ValueError as error:  # the parsers' own errors, and integers of thousands of digits
        raise InputFileError(f"{path}: not a readable {kind} file ({error})") from error


def changed(owner: Any, table: Mapping[str, Any], group: str = "") -> Any:  # noqa: ANN401  any dataclass of settings in, the same out
    """Change `owner` by the values of `table`; inner tables change inner dataclasses. Raises SettingsError, naming the setting."""
    known = {f.name: f.metadata for f in fields(owner)}
    changes: dict[str, Any] = {}
    for name, value in _with_new_names(owner, table, group).items():
        full = f"{group}.{name}" if group else name
        if name not in known:
            raise SettingsError(f"{shown(full)} is not a setting; {group or 'settings'} must be one of {', '.join(sorted(known))}")
        old = getattr(owner, name)
        if is_dataclass(old):
            if not isinstance(value, Mapping):
                raise SettingsError(f"{full} must be a group of settings, such as {full}.{fields(old)[0].name}, not {shown(value)}")
            changes[name] = changed(old, value, full)
            continue
        if isinstance(value, Mapping):
            raise RangeError(full, f"must be a single value, not {shown(value)}")
        changes[name] = None if known[name].get("optional") and value == AUTO else value
    return replace(owner, **changes)


def _with_new_names(owner: object, table: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Replace old names of settings in the table, each with a warning. Raises SettingsError where a setting is given under both names."""
    new_of, prefix, renamed = old_names(type(owner)), f"{group}." if group else "", dict(table)
    for old in [name for name in table if name in new_of]:
        if new_of[old] in table:
            raise SettingsError(f"{prefix}{new_of[old]} is given twice: {prefix}{old} is its old name")
        log.warning("the setting %s%s is now called %s%s; the old name will be removed in the next release", prefix, old, prefix, new_of[old])
        renamed[new_of[old]] = renamed.pop(old)
    return renamed


def as_toml(owner: Any, group: str = "") -> str:  # noqa: ANN401  any dataclass of settings
    """Format the settings as TOML, each under a comment with its meaning, unit, range and source; `changed` reads it back."""
    lines: list[str] = []
    inner: list[str] = []
    for f in fields(owner):
        value = getattr(owner, f.name)
        if is_dataclass(value):
            inner += ["", f"# {(type(value).__doc__ or '').splitlines()[0]}", f"[{f.name}]", as_toml(value, f.name)]
            continue
        comment = "; ".join(part for part in (f.metadata["meaning"], f.metadata["unit"], allowed(f.metadata), f.metadata["source"]) if part)
        lines += [f"# {comment}", f"{f.name} = {toml_value(AUTO if value is None else value)}"]
    return "\n".join(lines + inner)


def toml_value(value: Any) -> str:  # noqa: ANN401  any JSON
    """Format a value as TOML in one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "[" + ", ".join(map(toml_value, value)) + "]" if isinstance(value, list) else repr(value)
