"""Failures grouped by reason: in thousands of bursts, what matters is what went wrong how often."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PATH = re.compile(r"[^\s:;,()]*[/\\.][^\s:;,()]*\.?\w*(?=[\s:;,()]|$)")
_NUMBER = re.compile(r"\d+(\.\d+)?")


def by_reason(failures: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group (name, reason)s: names by reason, the commonest first. Paths, numbers and the name itself are what reasons may differ in.

    >>> by_reason([("a", "/x/a.dng: cut at byte 12"), ("b", "b.dng: cut at byte 9"), ("c", "the disk is full")])
    {'cut at byte #': ['a', 'b'], 'the disk is full': ['c']}
    """
    groups: dict[str, list[str]] = {}
    for name, reason in failures:
        groups.setdefault(kind_of(name, reason), []).append(name)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def kind_of(name: str, reason: str) -> str:
    """Return what a reason has in common with those of other bursts."""
    named = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", reason) if name else reason
    common = _NUMBER.sub("#", _PATH.sub("…", named))
    return re.sub(r"^(…[\s:]*)+", "", common).strip() or "unknown"
