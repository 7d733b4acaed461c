"""How a frame is blurred: by the moments of its blur against the sharpest frame's, or by its kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_KNOWN_PX = (0.7, 1.0)  # RMS length of a blur, raw pixels: from nearly Gaussian to not
_USEFUL_PX = (1.2, 1.7)  # the same of a blur whose kernel is known: from full use to hardly any detail left


class Blur(NamedTuple):
    """Second moments of a blur, raw pixels squared: those of the camera's path during the exposure, or the covariance of a Gaussian."""

    yy: float
    yx: float
    xx: float

    @property
    def rms_px(self) -> float:
        """RMS length, raw pixels."""
        return math.sqrt(max(self.yy + self.xx, 0.0))

    @property
    def reliability(self) -> float:
        """How far the moments determine the blur, 0 to 1: paths of one length and direction have the same spectrum while they are short."""
        return _falling(self.rms_px, *_KNOWN_PX)

    @property
    def moments(self) -> Blur:
        """Return itself."""
        return self

    def transfer(self, y: Array, x: Array) -> Array:
        """Return the transfer function of the Gaussian, exp(-2 pi^2 f^T M f), for (n,) frequencies y and x in cycles per raw pixel: (n, n)."""
        fy, fx = y[:, None], x[None]
        return np.asarray(np.exp(-2 * np.pi**2 * (self.yy * fy * fy + 2 * self.yx * fy * fx + self.xx * fx * fx)))


@dataclass(frozen=True)
class BlurKernel:
    """The kernel of a blur: a sample is the weighted mean of what it would be at displaced positions.

    values: of side x side displacements, row by row, not negative, sum 1; side is odd, the middle one is no displacement. step_px: between them, raw
    pixels.
    """

    values: tuple[float, ...]
    step_px: float

    @property
    def grid(self) -> Array:
        """Return the values as (side, side)."""
        side = math.isqrt(len(self.values))
        return np.array(self.values).reshape(side, side)

    @property
    def _places(self) -> Array:
        reach = math.isqrt(len(self.values)) // 2
        return np.asarray(np.arange(-reach, reach + 1) * self.step_px, np.float64)

    @cached_property
    def moments(self) -> Blur:
        """Second moments about the mean."""
        grid, places = self.grid, self._places
        y, x = (grid.sum(axis=axis) for axis in (1, 0))
        dy, dx = places - y @ places, places - x @ places
        return Blur(float(y @ dy**2), float(dy @ grid @ dx), float(x @ dx**2))

    @property
    def rms_px(self) -> float:
        """RMS length, raw pixels."""
        return self.moments.rms_px

    @property
    def reliability(self) -> float:
        """How much its frame's samples count, 0 to 1: very blurred frames show no detail that others lack."""
        return _falling(self.rms_px, *_USEFUL_PX)

    def transfer(self, y: Array, x: Array) -> NDArray[np.complex128]:
        """Return the transfer function for (n,) frequencies y and x in cycles per raw pixel: (n, n)."""
        waves = [np.exp(-2j * np.pi * np.outer(f, self._places)) for f in (y, x)]
        return np.asarray(waves[0] @ self.grid @ waves[1].T, np.complex128)


AnyBlur = Blur | BlurKernel


def _falling(value: float, low: float, high: float) -> float:
    return min(max((high - value) / (high - low), 0.0), 1.0)
