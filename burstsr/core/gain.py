"""Gain that varies over a frame (lens shading): what it makes of the noise. With y = g u of samples u, variance(y) = g alpha y + g^2 beta."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burstsr.core.coords import raw_position
from burstsr.core.equality import EqualByContent

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GainField(EqualByContent):
    """Gain of a frame's samples by position, over the gain for which the frame's noise model holds (the frame's mean gain).

    points: (3, n, m) float32, of R, G, B, at the centres of n x m equal parts of `shape`, raw pixels (H, W); bilinear between them, constant beyond.
    origin: raw (y, x) of the frame's first pixel therein, for a crop.
    """

    points: Floats
    shape: tuple[int, int]
    origin: tuple[int, int] = (0, 0)

    def cropped(self, top: int, left: int) -> GainField:
        """The field of a crop whose first pixel is at (top, left)."""
        return replace(self, origin=(self.origin[0] + top, self.origin[1] + left))

    def at(self, y: NDArray[np.floating], x: NDArray[np.floating]) -> Floats:
        """(3, len(y), len(x)) float32 at raw rows y and columns x."""
        (i, v), (j, u) = (_between(p + o, length, count) for p, o, length, count in zip((y, x), self.origin, self.shape, self.points.shape[1:], strict=True))
        i1, j1 = (np.minimum(k + 1, count - 1) for k, count in ((i, self.points.shape[1]), (j, self.points.shape[2])))
        across = self.points[:, :, j] * (1 - u) + self.points[:, :, j1] * u
        return np.asarray(across[:, i] * (1 - v)[:, None] + across[:, i1] * v[:, None], np.float32)

    def cells(self, shape: tuple[int, int]) -> Floats:
        """(3, H/2, W/2) float32 at the centres of the CFA cells of a frame of `shape`."""
        y, x = (2.0 * np.arange(length // 2) + 0.5 for length in shape)
        return self.at(y, x)

    def output(self, rows: range, columns: range, scale: float) -> Floats:
        """(3, rows, columns) float32 at output pixels of a result at `scale`."""
        y, x = (raw_position(np.arange(r.start, r.stop), scale) for r in (rows, columns))
        return self.at(y, x)


def _between(position: NDArray[np.floating], length: int, count: int) -> tuple[NDArray[np.intp], Floats]:
    """Point at or before each position, and the fraction of the way to the next."""
    at = np.clip((position + 0.5) * count / length - 0.5, 0, count - 1)
    whole = np.minimum(at.astype(np.intp), max(count - 2, 0))
    return whole, (at - whole).astype(np.float32)
