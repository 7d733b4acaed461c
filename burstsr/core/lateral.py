"""Lateral chromatic aberration: red and blue are magnified differently from green."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pair = tuple[float, float]
_GREEN: Pair = (0.0, 0.0)


@dataclass(frozen=True)
class LateralAberration:
    """Lateral chromatic aberration of a lens, relative to green.

    A sample of a channel at raw position p shows what green shows at c + (p - c) (1 + k0 + k1 |p - c|^2 / r^2). red, blue: (k0, k1) of the channel.
    centre: c, raw (y, x); radius_px: r, half the diagonal of the whole frame, raw pixels.
    """

    red: Pair
    blue: Pair
    centre: Pair
    radius_px: float

    @classmethod
    def of_frame(cls, shape: tuple[int, int], red: Pair, blue: Pair) -> LateralAberration:
        """Return the aberration of whole frames of `shape` (H, W), centred."""
        return cls(red, blue, ((shape[0] - 1) / 2, (shape[1] - 1) / 2), float(np.hypot(*shape)) / 2)

    def cropped(self, top: int, left: int) -> LateralAberration:
        """Return the aberration of a crop whose first pixel is at (top, left)."""
        return replace(self, centre=(self.centre[0] - top, self.centre[1] - left))

    @property
    def corner_px(self) -> Pair:
        """Return how far red and blue are displaced at radius_px, raw pixels: positive away from the centre."""
        return -sum(self.red) * self.radius_px, -sum(self.blue) * self.radius_px

    def table(self) -> Floats:
        """Return (3, 4) float32 for loops: of each channel the centre (y, x), k0, and k1 / r^2."""
        return np.array([[*self.centre, k0, k1 / self.radius_px**2] for k0, k1 in (self.red, _GREEN, self.blue)], np.float32)

    def largest_px(self, shape: tuple[int, int]) -> float:
        """Return an upper limit of the displacement within a frame of `shape`, raw pixels."""
        down, across = (max(c, n - 1 - c) for c, n in zip(self.centre, shape, strict=True))
        farthest = float(np.hypot(down, across))
        return max(abs(k0) + abs(k1) * (farthest / self.radius_px) ** 2 for k0, k1 in (self.red, self.blue)) * farthest


NO_LATERAL = np.zeros((3, 4), np.float32)  # the table of a lens without
