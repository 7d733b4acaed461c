"""Which files are ours to replace: those that a record of ours names, as long as they are what we wrote.

A user's folder may hold anything under the names that results get: the camera's own JPEG, another program's export, a preview that was edited since. None of
these is ever replaced, whatever the options.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burstsr.core.schema import with_both_names

OUTPUTS, EARLIER = "outputs", "earlier_outputs"  # keys of a record: files of this result; files of ours that an earlier one left
_SLACK_NS = 2_000_000_000  # file systems of cards keep times to 2 s
ADVICE = "not replaced; move it, or choose another output folder"


@dataclass(frozen=True)
class ResultFiles:
    """The files of one result in `folder`, and the record, a JSON file of the name `record`, that names them.

    complete: whether a JSON object is a record of this kind. standard: the names that a record stands for which lists none, as earlier versions wrote them.
    """

    folder: Path
    record: str
    complete: Callable[[Mapping[str, Any]], bool]
    standard: Callable[[Mapping[str, Any]], Iterable[str]]

    def read(self, path: Path | None = None) -> dict[str, Any] | None:
        """The record in the folder, or in the file `path`; None where there is none that is complete."""
        try:
            value = json.loads((path or self.folder / self.record).read_bytes())
            value = with_both_names(value)
            return value if self.complete(value) and _lists_files(value) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def listed(self, record: Mapping[str, Any] | None, *keys: str) -> dict[str, dict[str, Any]]:
        """Return a record's entries of files, by name; keys: of OUTPUTS and EARLIER, default both."""
        if record is None:
            return {}
        if not isinstance(record.get(OUTPUTS), list):
            return {name: {"name": name} for name in self.standard(record)}
        entries = [entry for key in reversed(keys or (OUTPUTS, EARLIER)) for entry in record.get(key) or ()]
        return {entry["name"]: entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)}

    def obstacle(self, names: Iterable[str], *, thorough: bool = True, record: Path | None = None) -> str:
        """Why files of these names must not be written; '' if they may. thorough: their bytes are looked at, not only their sizes.

        record: the file that stands for the one in the folder, where that has been moved.
        """
        known = record or self.folder / self.record
        value = self.read(known)
        listed = self.listed(value)
        for name in names:
            path = self.folder / name
            try:
                os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                return f"{path}: cannot be written ({error.strerror or error})"
            reason = self._foreign(name, value, listed, known, thorough)
            if reason:
                return f"{path}: {reason}; {ADVICE}"
        return ""

    def _foreign(self, name: str, value: Mapping[str, Any] | None, listed: Mapping[str, dict[str, Any]], known: Path, thorough: bool) -> str:
        path = self.folder / name
        if path.is_dir():
            return "is a directory"
        if name == self.record:
            return "" if value is not None else "exists, and is not a complete record of burstsr"
        if name not in listed:
            other = self._other_record(name)
            if other:
                return f"belongs to another result of burstsr (see {other})"
            return f"exists, and is not listed in a record of burstsr ({self.record})"
        return "" if unchanged(path, listed[name], known, thorough=thorough) else f"was edited or replaced after burstsr wrote it (see {self.record})"

    def _other_record(self, name: str) -> str:
        """Return the name of a record of the other kind, `process` or `single`, that lists a file, or ''."""
        for record in (f"{name}.json", f"{Path(name).stem}.json"):
            try:
                value = json.loads((self.folder / record).read_bytes())
                if record != self.record and any(listed_entry["name"] == name for listed_entry in value[OUTPUTS]):
                    return record
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
        return ""


def _lists_files(record: Mapping[str, Any]) -> bool:
    """Whether what a record lists are names in its own folder, with their digests: others are damaged, or were not written by this program."""
    entries = [listed for key in (OUTPUTS, EARLIER) if key in record for listed in record[key]]
    return all(_is_plain(listed["name"]) and isinstance(listed.get("sha256", ""), str) and isinstance(listed.get("bytes", 0), int) for listed in entries)


def _is_plain(name: str) -> bool:
    return name == os.path.basename(name) and name not in ("", ".", "..") and "\0" not in name


def entry(path: Path) -> dict[str, Any]:
    """Return a record's entry for an output."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def unchanged(path: Path, listed_entry: Mapping[str, Any], record: Path, *, thorough: bool = True) -> bool:
    """Return whether a file matches its record. Records of earlier versions have no digest: the file must then not be newer than the record."""
    try:
        if "sha256" not in listed_entry:
            return path.stat().st_mtime_ns <= record.stat().st_mtime_ns + _SLACK_NS
        return path.stat().st_size == listed_entry.get("bytes") and (not thorough or entry(path)["sha256"] == listed_entry["sha256"])
    except OSError:
        return False


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A record as it is written: UTF-8, with names of files that are no Unicode escaped, so that it stays JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
