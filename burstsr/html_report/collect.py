"""Results in folders: records that can be read, records that cannot, and bursts without one."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from burstsr.batch import journal
from burstsr.batch.job import REPORT, SUFFIX_OF
from burstsr.core.schema import with_both_names
from burstsr.html_report.facts import Facts, facts_of
from burstsr.io.folders import natural_order

_MOST_BYTES = 1 << 26  # of a record


@dataclass(frozen=True)
class Variant:
    """A result of a burst in one folder. label: of it in comparisons. problem: why its record cannot be read; then `facts` is None."""

    folder: Path
    name: str
    label: str
    facts: Facts | None
    problem: str = ""

    @property
    def record(self) -> Path:
        """Return the path of the record."""
        return self.folder / f"{self.name}.json"

    @property
    def preview(self) -> Path:
        """Return the path of the preview."""
        return self.folder / (self.name + SUFFIX_OF["jpg"])

    @property
    def data(self) -> Path:
        """Return the path of what `process --report` wrote."""
        return self.folder / (self.name + SUFFIX_OF[REPORT])


@dataclass(frozen=True)
class BurstResult:
    """A burst. variants: its results, the first of the folder that the page is of, others of the same frames. entry: of the journal."""

    name: str
    variants: tuple[Variant, ...]
    entry: journal.Entry | None = None

    @property
    def slug(self) -> str:
        """Return a folder name of plain letters, different for every burst."""
        digest = hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', self.name)[:60].strip('-') or 'burst'}-{digest}"

    @property
    def shown(self) -> Variant | None:
        """Return the result whose numbers are shown: the first that can be read."""
        return next((variant for variant in self.variants if variant.facts is not None), None)


@dataclass(frozen=True)
class Collection:
    """All results. bursts: with a record. failures: of the last run, bursts without one and inputs that were rejected. waiting: not yet processed."""

    bursts: tuple[BurstResult, ...]
    failures: tuple[journal.Entry, ...]
    waiting: tuple[journal.Entry, ...]


def collect(folders: Sequence[Path]) -> Collection:
    """Collect the results of the first folder, with those of the same frames in the others."""
    by_folder = [{variant.name: variant for variant in map(_variant, _records(folder)) if variant is not None} for folder in folders]
    entries = {entry.burst: entry for entry in journal.read(folders[0] / journal.NAME)}
    bursts = []
    for name, first in by_folder[0].items():
        others = [found[name] for found in by_folder[1:] if name in found and _same_frames(first, found[name])]
        entry = entries.get(name)
        bursts.append(BurstResult(name, tuple(_labelled([first, *others])), entry if entry and entry.status == "failed" else None))
    left = [entry for entry in entries.values() if entry.burst not in by_folder[0]]
    failures = tuple(entry for entry in left if entry.status in ("failed", journal.REJECTED))
    return Collection(tuple(bursts), failures, tuple(entry for entry in entries.values() if entry.status == journal.WAITING))


def _records(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"), key=natural_order)


def _variant(record: Path) -> Variant | None:
    """Return what a JSON file is the record of; None for other files."""
    name = record.name.removesuffix(".json")
    try:
        if record.stat().st_size > _MOST_BYTES:
            raise ValueError("too large for a record")
        value = with_both_names(json.loads(record.read_bytes()))
        if "fingerprints" not in value or value.get("burst") != name:
            return None
        return Variant(record.parent, name, "", facts_of(value))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        if not any(os.path.exists(record.with_name(name + suffix)) for suffix in (".dng", ".jpg")):
            return None
        return Variant(record.parent, name, "", None, f"{record.name} cannot be read: {error}"[:300])


def _same_frames(one: Variant, other: Variant) -> bool:
    return one.facts is not None and other.facts is not None and one.facts.fingerprints == other.facts.fingerprints


def _labelled(variants: list[Variant]) -> list[Variant]:
    """Label results by their modes, where these differ, else by their folders."""
    modes = [variant.facts.mode if variant.facts else "?" for variant in variants]
    scales = {variant.facts.scale for variant in variants if variant.facts}
    labels = modes if len(set(modes)) == len(modes) and len(scales) <= 1 else [f"{mode} ({v.folder.name})" for mode, v in zip(modes, variants, strict=True)]
    return [Variant(v.folder, v.name, label, v.facts, v.problem) for v, label in zip(variants, labels, strict=True)]
