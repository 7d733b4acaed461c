"""Margins over other methods, per configuration: the numbers of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from benchmarks.records import CONFIGURATION, configuration, means
from benchmarks.rows import OWN, SINGLE, TITLES


def margins(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One object per configuration that has a row "ours", of means over images; None where there is nothing to compare with.

    dB of sRGB PSNR, positive = ours is better: over_menon; over_other and other (the best row that is none of the program's own); over_single (the best
    single-frame row); worst: the same of the image where it is least; mover_over_single, way_over_single: inside the mover, and where it ever is.
    below_known: ours with true motion less ours. chroma_ratio: chroma error over Menon's.
    """
    result = []
    for key, group in groupby(means(records), key=configuration):
        rows = {record["row"]: record for record in group}
        if "ours" not in rows:
            continue
        ours, menon, known = rows["ours"], rows.get("menon"), rows.get("ours-true-motion")
        single = [record for name, record in rows.items() if name in SINGLE]
        others = [record for name, record in rows.items() if name not in OWN and record["psnr_srgb"] is not None]
        best = max(others, key=lambda record: float(record["psnr_srgb"]), default=None)
        result.append(
            {
                **dict(zip(CONFIGURATION, key, strict=True)),
                "over_menon": _above(ours, [menon] if menon else []),
                "over_other": _above(ours, others),
                "other": TITLES[best["row"]] if best else "-",
                "over_single": _above(ours, single),
                "worst": _worst([record for record in records if configuration(record) == key]),
                "below_known": _above(known, [ours]) if known else None,
                "chroma_ratio": ours["chroma_error"] / menon["chroma_error"] if menon and menon["chroma_error"] else None,
                "mover_over_single": _above(ours, single, "psnr_mover"),
                "way_over_single": _above(ours, single, "psnr_mover_ever"),
            }
        )
    return result


def _worst(records: Sequence[dict[str, Any]]) -> float | None:
    """Return the least margin over the best single row, image by image."""
    found = []
    for image in {record["picture"] for record in records}:
        rows = {record["row"]: record for record in records if record["picture"] == image}
        found.append(_above(rows["ours"], [record for name, record in rows.items() if name in SINGLE]))
    return min((value for value in found if value is not None), default=None)


def _above(ours: dict[str, Any], others: Sequence[dict[str, Any]], name: str = "psnr_srgb") -> float | None:
    values = [record[name] for record in others if record.get(name) is not None]
    return float(ours[name]) - max(values) if values and ours.get(name) is not None else None
