"""Measurements, one record per case and row: order, and means over images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.grid import SECTIONS

Record = dict[str, Any]
CONFIGURATION = ("section", "scale", "frames", "motion", "iso", "blur_px", "psf_px")


def configuration(record: Record) -> tuple[Any, ...]:
    """All that its case shares with those of other images."""
    return tuple(record[name] for name in CONFIGURATION)


def ordered(records: Sequence[Record]) -> list[Record]:
    """Records by section and configuration; images and rows stay in the order in which they were measured."""
    return sorted(records, key=lambda record: (SECTIONS.index(record["section"]), *configuration(record)[1:]))


def means(records: Sequence[Record]) -> list[Record]:
    """Mean over images of every figure, per section, configuration and row; None where an image has none. images: how many."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in ordered(records):
        groups.setdefault((*configuration(record), record["row"]), []).append(record)
    result = []
    for group in groups.values():
        mean: Record = {name: group[0][name] for name in (*CONFIGURATION, "row")}
        mean["pictures"] = len(group)
        for name in group[0]:
            if name not in mean and name != "picture":
                values = [record[name] for record in group]
                mean[name] = None if any(value is None for value in values) else float(np.mean(values))
        result.append(mean)
    return result
