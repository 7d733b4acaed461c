"""Profiles across straight edges of an image: overshoot, undershoot and rise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

BIN = 0.25  # output pixels across the edge
REACH = 8.0  # output pixels from the edge within which over- and undershoot are looked for
PLATEAU = (10.0, 16.0)  # output pixels from the edge where the levels are taken
_BINS = int(2 * PLATEAU[1] / BIN)
_FEWEST = 8  # pixels that make a bin
_NO_STEP = 0.1  # of the largest step; a colour that steps less has no rise


@dataclass(frozen=True)
class Line:
    """A straight edge: a point (y, x) on it in output pixels and its angle against the columns in degrees, 0 = upright, 90 = level.

    The edge's normal points to larger x at 0 degrees, to larger y at 90. half_length: output pixels along the edge on either side of the point.
    """

    point: tuple[float, float]
    angle_deg: float
    half_length: float

    def across(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the distance of positions from the edge along its normal."""
        angle = np.deg2rad(self.angle_deg)
        return np.asarray((y - self.point[0]) * np.sin(angle) + (x - self.point[1]) * np.cos(angle))

    def along(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the distance of positions from the point along the edge."""
        angle = np.deg2rad(self.angle_deg)
        return np.asarray((y - self.point[0]) * np.cos(angle) - (x - self.point[1]) * np.sin(angle))


@dataclass(frozen=True)
class Shape:
    """Of one colour. overshoot beyond the brighter side's level, undershoot below the darker's: shares of the step, 0 = none, below 0 = the level is not
    reached within REACH; of a colour without a step, shares of the largest step among the colours. rise_px: from 10 to 90 %, output pixels; None without
    a step. noise: deviation of a bin beside the edge, the same share.
    """

    overshoot: float
    undershoot: float
    rise_px: float | None
    noise: float

    def as_json(self) -> dict[str, float | None]:
        """Return the shape ready for JSON."""
        return asdict(self)


def profile(charts: Iterable[tuple[NDArray[np.floating], Line]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average bins of BIN across an edge: distances (n,), increasing, and values (n, 3). Bins with few pixels are left out.

    charts: images (h, w, 3) and the position of the edge in each. A horizontal edge fills all bins only where its positions differ by fractions of a pixel.
    """
    sums, count = np.zeros((_BINS, 4)), np.zeros(_BINS)
    for image, line in charts:
        y, x = np.meshgrid(*(np.arange(length, dtype=np.float64) for length in image.shape[:2]), indexing="ij")
        d = line.across(y, x)
        inside = (np.abs(d) < PLATEAU[1]) & (np.abs(line.along(y, x)) < line.half_length)
        index = ((d[inside] + PLATEAU[1]) / BIN).astype(int)
        count += np.bincount(index, minlength=_BINS)
        sums += np.stack([np.bincount(index, weights, _BINS) for weights in (d[inside], *image[inside].astype(np.float64).T)], axis=-1)
    means = sums[count >= _FEWEST] / count[count >= _FEWEST, None]
    return means[:, 0], means[:, 1:]


def shapes(d: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[Shape, Shape, Shape]:
    """Measure red, green and blue of a profile; the bright and dark sides may be either, and differ between colours."""
    left, right = (_on(d, side) for side in (-1, 1))
    levels = [(values[left, c].mean(), values[right, c].mean()) for c in range(3)]
    largest = max(abs(b - a) for a, b in levels)
    found = []
    for c, (a, b) in enumerate(levels):
        stepping = abs(b - a) > _NO_STEP * largest
        step = abs(b - a) if stepping else largest
        near = values[np.abs(d) <= REACH, c]
        beside = np.concatenate([values[left, c] - a, values[right, c] - b])
        rise = _rise((values[:, c] - a) / (b - a), d) if stepping else None
        over, under = float(near.max() - max(a, b)) / step, float(min(a, b) - near.min()) / step
        found.append(Shape(over, under, rise, float(beside.std()) / step))
    return found[0], found[1], found[2]


def _on(d: NDArray[np.float64], side: int) -> NDArray[np.bool_]:
    return np.asarray((d * side >= PLATEAU[0]) & (d * side <= PLATEAU[1]))


def _rise(share: NDArray[np.float64], d: NDArray[np.float64]) -> float:
    """Return the distance between the positions where `share`, from about 0 to about 1, passes 0.1 and 0.9: those next to its centre."""
    middle = int(np.argmax((share >= 0.5) & (np.abs(d) <= REACH)))
    high = middle + int(np.argmax(share[middle:] >= 0.9))
    low = middle - 1 - int(np.argmax(share[:middle][::-1] <= 0.1))
    return _crossing(share, d, high, 0.9) - _crossing(share, d, low + 1, 0.1)


def _crossing(share: NDArray[np.float64], d: NDArray[np.float64], i: int, level: float) -> float:
    """Return where the line from point i - 1 to point i has `level`."""
    return float(d[i - 1] + (d[i] - d[i - 1]) * (level - share[i - 1]) / (share[i] - share[i - 1]))
