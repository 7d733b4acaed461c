"""Blur of a lens over the field."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

Pair = tuple[float, float]


@dataclass(frozen=True)
class LensField:
    """Standard deviation of a lens's Gaussian blur, raw pixels: its square grows with the square of the distance from the centre.

    centre_px: at the centre. corner_px: at radius_px, half the diagonal of the whole frame, raw pixels, from it. centre: raw (y, x).
    """

    centre_px: float
    corner_px: float
    centre: Pair
    radius_px: float

    @classmethod
    def of_frame(cls, shape: tuple[int, int], centre_px: float, corner_px: float) -> LensField:
        """Return the blur over whole frames of `shape` (H, W), centred."""
        return cls(centre_px, corner_px, ((shape[0] - 1) / 2, (shape[1] - 1) / 2), math.hypot(*shape) / 2)

    def cropped(self, top: int, left: int) -> LensField:
        """Return the blur of a crop whose first pixel is at (top, left)."""
        return replace(self, centre=(self.centre[0] - top, self.centre[1] - left))

    def at(self, y: float, x: float) -> float:
        """Return the standard deviation at a raw position."""
        if self.corner_px == self.centre_px:
            return self.centre_px
        share = ((y - self.centre[0]) ** 2 + (x - self.centre[1]) ** 2) / self.radius_px**2
        return math.sqrt(max(self.centre_px**2 + (self.corner_px**2 - self.centre_px**2) * share, 0.0))
