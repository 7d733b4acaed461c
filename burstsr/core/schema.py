"""The layout of records: the JSON beside a result, and the keys whose names have changed.

For one release every renamed key is written under both names, and a record of an earlier version is read as if it had the new ones too:
`with_both_names` serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SCHEMA_VERSION = 2  # records without `schema_version` are of version 1

# old key -> new key, by the object that holds them; "" is the record itself, "frames" each of its frames
RENAMED_KEYS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "": {"noise_left": "output_noise", "phases": "subpixel_phases", "evenness": "sampling_uniformity", "frames_read": "fingerprints"},
        "frames": {"trust": "robustness"},
        "noise": {"doubt": "noise_warning"},
        "reconstruction": {"turns": "outer_iterations", "second_looks": "rechecked_tiles"},
        "seconds": {"noise left": "residual noise"},
    }
)


def with_both_names(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record with each renamed key under its old and its new name, whichever it has.

    `size`, (width, height), is the old form of `shape`, (height, width).

    >>> with_both_names({"phases": 4, "frames": [{"trust": 0.5}], "shape": [6, 8]})
    {'phases': 4, 'frames': [{'trust': 0.5, 'robustness': 0.5}], 'shape': [6, 8], 'subpixel_phases': 4, 'size': [8, 6]}
    """
    both = {name: _inner(name, value) for name, value in record.items()}
    _complete(both, RENAMED_KEYS[""])
    if isinstance(both.get("shape"), list):
        both["size"] = both["shape"][::-1]
    elif isinstance(both.get("size"), list):
        both["shape"] = both["size"][::-1]
    return both


def _inner(name: str, value: Any) -> Any:  # noqa: ANN401  any JSON
    """A value of the record, with both names of the keys of its objects."""
    names = RENAMED_KEYS.get(name)
    if not names:
        return value
    if isinstance(value, list):
        return [_inner(name, item) for item in value]
    if isinstance(value, Mapping):
        value = dict(value)
        _complete(value, names)
    return value


def _complete(part: dict[str, Any], names: Mapping[str, str]) -> None:
    for old, new in names.items():
        if new in part:  # what has changed since the record was read was changed under this name
            part[old] = part[new]
        elif old in part:
            part[new] = part[old]
