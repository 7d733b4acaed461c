"""Gain of mode "best" over "fast", image by image: rows "best" and "ours" of the quality benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from benchmarks.records import CONFIGURATION, Record, configuration, ordered

FAST, BEST, BEST_KNOWN = "ours", "best", "best-true-motion"
FIGURES = ("psnr_srgb", "psnr_mover", "psnr_mover_ever", "psnr_lamp", "psnr_hot")


def gains(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One object per configuration that has both rows; None where there is nothing to compare with.

    dB of sRGB PSNR, positive = best is better: mean over images; worst, worst_picture: where it is least. ssim_fast, ssim_best: means; ssim_worst: the
    least of their difference. below_known: best with true motion less best, mean.
    """
    result = []
    for key, group in groupby(ordered(records), key=configuration):
        images = _by_image(list(group))
        found = _differences(images, "psnr_srgb")
        if not found:
            continue
        worst = min(found, key=lambda image: found[image])
        known = [value for rows in images.values() if (value := _above(rows, BEST_KNOWN, BEST, "psnr_srgb")) is not None]
        similar = {row: [rows[row]["ssim"] for image, rows in images.items() if image in found] for row in (FAST, BEST)}
        result.append(
            {
                **dict(zip(CONFIGURATION, key, strict=True)),
                "mean": float(np.mean(list(found.values()))),
                "worst": found[worst],
                "worst_picture": worst,
                "ssim_fast": float(np.mean(similar[FAST])),
                "ssim_best": float(np.mean(similar[BEST])),
                "ssim_worst": float(np.min(np.subtract(similar[BEST], similar[FAST]))),
                "below_known": float(np.mean(known)) if known else None,
            }
        )
    return result


def least(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Per section, and in it per figure in dB (all, mover, lamp, hot pixels): the least of best less fast over all images and configurations, and where.

    mean: over all of them.
    """
    result = []
    for section, in_section in groupby(ordered(records), key=lambda record: str(record["section"])):
        cases = [(key, _by_image(list(group))) for key, group in groupby(in_section, key=configuration)]
        for figure in FIGURES:
            found = [(value, image, key) for key, images in cases for image, value in _differences(images, figure).items()]
            if found:
                value, image, key = min(found, key=lambda one: one[0])
                place = dict(zip(CONFIGURATION, key, strict=True)) | {"section": section, "figure": figure, "picture": image}
                result.append({**place, "worst": value, "mean": float(np.mean([one[0] for one in found]))})
    return result


def _by_image(records: Sequence[Record]) -> dict[str, dict[str, Record]]:
    images: dict[str, dict[str, Record]] = {}
    for record in records:
        images.setdefault(record["picture"], {})[record["row"]] = record
    return images


def _differences(images: dict[str, dict[str, Record]], figure: str) -> dict[str, float]:
    """Return best minus fast, for the images that have both."""
    found = {image: _above(rows, BEST, FAST, figure) for image, rows in images.items()}
    return {image: value for image, value in found.items() if value is not None}


def _above(rows: dict[str, Record], row: str, other: str, figure: str) -> float | None:
    a, b = (rows.get(name, {}).get(figure) for name in (row, other))
    return float(a) - float(b) if a is not None and b is not None else None
