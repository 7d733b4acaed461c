"""`burstsr benchmark quality`: simulated bursts through every row, and all figures against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import crops
from benchmarks.figures import flat_areas, flow_figures, image_figures, noise_between
from benchmarks.grid import EXTRAS
from benchmarks.modes import gains, least
from benchmarks.records import Record, means, ordered
from benchmarks.rows import MODES, Row, ours_of_one
from benchmarks.shots import Case, Shot, shot_of, take
from burstsr.report import versions
from burstsr.simulate import SimulateSettings, simulate_burst

Floats = NDArray[np.float32]
Progress = Callable[[str, str, int, int], None]
OURS = "ours"


@dataclass(frozen=True)
class Result:
    """All that was measured. records: one per case and row. images: the side-by-side crops that were written."""

    records: list[Record]
    notes: list[str]
    setup: dict[str, Any]
    images: list[Path] = field(default_factory=list)


def run(cases: Sequence[Case], rows: Sequence[Row], notes: Sequence[str], out: Path, progress: Progress, finished: Callable[[str], None]) -> Result:
    """Measure every row on every case. progress is called with (case, row, done, total), finished with a case's name; crops are written to `out`."""
    warm_up(rows, sorted({case.scale for case in cases}))
    records: list[Record] = []
    written: list[Path] = []
    for case in cases:
        progress(case.name, "simulate", 0, len(rows))
        shot = take(case)
        used = rows_of(case, rows)
        images: dict[str, Floats] = {}
        of_case: list[Record] = []
        for index, row in enumerate(used):
            progress(case.name, row.title, index, len(used))
            start = time.perf_counter()
            images[row.key] = row.image(shot)
            seconds = time.perf_counter() - start + (shot.align_seconds if row.aligned else 0.0)
            of_case.append({**_identity(case), "row": row.key, **image_figures(images[row.key], shot), "seconds": round(seconds, 4)})
        _add_flow(of_case, shot)
        if case.section == "tripod":
            _add_noise(of_case, case, shot, used, images)
        records += of_case
        if case.section == "grid" and crops.wanted(case):
            written.append(crops.write(out, case, shot, images, of_case))
        finished(case.name)
    setup = {"seed": cases[0].seed, "blur_px": cases[0].blur, "cases": len(cases), "versions": versions()} if cases else {}
    return Result(ordered(records), list(notes), setup, written)


def rows_of(case: Case, rows: Sequence[Row]) -> list[Row]:
    """Return the `rows` applied to a case: all in the grid; beside it single frames and both modes; in the extra sections the modes only."""
    if case.section == "grid":
        return list(rows)
    return [row for row in rows if row.key in MODES or (row.single and case.section not in EXTRAS)]


def warm_up(rows: Sequence[Row], scales: Sequence[float]) -> None:
    """Run every row once on a small burst, so that timings exclude compilation."""
    image = np.random.default_rng(0).uniform(0.2, 0.8, (192, 192, 3)).astype(np.float32)
    for scale in scales:
        shot = shot_of(simulate_burst(image, SimulateSettings(frames=3, scale=scale), np.random.default_rng(0)))
        for row in rows:
            row.image(shot)


def as_json(result: Result) -> dict[str, Any]:
    """Return the result as one JSON object."""
    return {
        "benchmark": "quality",
        "setup": result.setup,
        "notes": result.notes,
        "means": means(result.records),
        "best_over_fast": gains(result.records),
        "worst_best_over_fast": least(result.records),
        "records": result.records,
        "pictures": [str(path) for path in result.images],
    }


def _identity(case: Case) -> Record:
    named = ("section", "iso", "frames", "scale", "motion", "psf_px")
    return {name: getattr(case, name) for name in named} | {"blur_px": case.blur, "picture": case.image.stem}


def _add_flow(records: list[Record], shot: Shot) -> None:
    """Add the error of the flow to the row that uses it."""
    error = flow_figures(shot)
    for record in records:
        ours = record["row"] == OURS and error is not None
        record["flow_median_px"] = error.median if ours and error else None
        record["flow_p95_px"] = error.p95 if ours and error else None


def _add_noise(records: list[Record], case: Case, shot: Shot, rows: Sequence[Row], images: dict[str, Floats]) -> None:
    """Add the remaining noise on flat areas, from a second burst with independent noise (and the same motion), and its reduction from a single frame."""
    other = take(replace(case, realisation=case.realisation + 1))
    flat, neutral = flat_areas(shot), shot.colour.as_shot_neutral
    one = noise_between(ours_of_one(shot), ours_of_one(other), flat, neutral)
    for record, row in zip(records, rows, strict=True):
        left = noise_between(images[row.key], row.image(other), flat, neutral)
        record["noise_flat"] = left
        record["noise_gain"] = one / left if row.key in MODES and one and left else None
