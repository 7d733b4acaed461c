"""Statistics of squared residuals over predicted variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("all", "structure", "flat", "frame")
_MEDIAN_OF_CHI2 = 0.454936  # median of a squared standard normal variable


@dataclass(frozen=True)
class Ratios:
    """Per part of the image ("all", "structure", "flat"; "frame": all, against the frame's own noise alone), None where it has no samples.

    mean: of squared residual over variance. median: the same from the median, which a few outliers do not move. structure_share: 0 to 1.
    """

    mean: dict[str, float | None]
    median: dict[str, float | None]
    structure_share: float

    def as_json(self) -> dict[str, Any]:
        """Return the ratios ready for JSON."""
        return {"mean": self.mean, "median": self.median, "structure_share": self.structure_share}


def as_ratios(values: Mapping[str, NDArray[np.floating]]) -> Ratios:
    """Summarise ratios (n,) per part."""
    mean = {name: float(values[name].mean(dtype=np.float64)) if values[name].size else None for name in NAMES}
    median = {name: float(np.median(values[name])) / _MEDIAN_OF_CHI2 if values[name].size else None for name in NAMES}
    return Ratios(mean, median, values["structure"].size / max(values["all"].size, 1))
