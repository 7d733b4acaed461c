"""Blurred frames in the forward model: a sample is the mean over its pixel's area, spread by the frame's blur.

Other frames' samples go into one stencil for all (`loops.gather`); these would make it several times wider, and are kept one by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.blur import AnyBlur
from burstsr.reconstruct import footprint_loops
from burstsr.reconstruct.footprint_loops import LANES

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
_PHASES = 8  # of a sample's corner within an output pixel, per axis
_OUTSIDE = 0.004  # fraction of a footprint that may lie beyond its values
_ENOUGH = 0.03  # the same where the rest would take a second vector per row
_MOST_VECTORS = 2


class WideSamples(NamedTuple):
    """Samples of blurred frames on a tile, as `footprint_loops` reads them.

    first: (n,) first pixel of each footprint in a flat (p, h, w). at: (n,) where it begins in `footprints`, flat. weight: (n,) robustness over variance.
    rows, vectors: (n,) of the footprint. diagonal: (p h w,), or empty without samples, that of A^T W A.
    """

    first: Ints
    at: Ints
    weight: Floats
    footprints: Floats
    rows: Ints
    vectors: Ints
    diagonal: Floats


_NO_INTS, _NO_FLOATS = np.zeros(0, np.int32), np.zeros(0, np.float32)
NO_SAMPLES = WideSamples(_NO_INTS, _NO_INTS, _NO_FLOATS, _NO_FLOATS, _NO_INTS, _NO_INTS, _NO_FLOATS)


@dataclass(frozen=True)
class BlurredFrame:
    """Samples of one blurred frame on a tile of `shape` (h, w).

    first, at: see `WideSamples`, of the `kept` samples, those whose footprints lie on the tile. footprints: (P, P, T, V), see `footprints`.
    """

    first: Ints
    at: Ints
    kept: NDArray[np.bool_]
    footprints: Floats
    shape: tuple[int, int]

    @staticmethod
    def of(where: Ints, how: Floats, shape: tuple[int, int], blur: AnyBlur, scale: float) -> BlurredFrame:
        """Return the frame whose samples, were they not blurred, would be `where` and `how` of `loops.locate`."""
        tables = footprints(blur, scale)
        rows = tables.shape[2]
        reach = (rows - math.ceil(scale) - 1) // 2
        y, x = np.divmod(where[0] % (shape[0] * shape[1]), shape[1])
        kept = (y >= reach) & (x >= reach) & (y - reach + rows <= shape[0]) & (x - reach + tables.shape[3] <= shape[1])
        phase = np.minimum((how[:2, kept] * _PHASES).astype(np.int32), _PHASES - 1)
        at = (phase[0] * _PHASES + phase[1]) * np.int32(rows * tables.shape[3])
        first = where[0, kept] - np.int32(reach * (shape[1] + 1))
        return BlurredFrame(first, at, kept, tables, shape)

    @property
    def size(self) -> tuple[int, int]:
        """Rows of a footprint, and vectors in each."""
        return self.footprints.shape[2], self.footprints.shape[3] // LANES

    def means(self, image: Floats) -> Floats:
        """Return A x, what the kept samples see of an image (p, h, w)."""
        out = np.empty(len(self.first), np.float32)
        footprint_loops.means(self.first, self.at, self.footprints.ravel(), *self.size, self.shape[1], image.ravel(), out)
        return out

    def add_spread(self, values: Floats, out: Floats, power: int = 1) -> None:
        """Add A^T values to `out` (p, h, w); A's entries raised to `power`."""
        tables = self.footprints if power == 1 else self.footprints**power
        footprint_loops.spread_all(values, self.first, self.at, tables.ravel(), *self.size, self.shape[1], out.reshape(-1))


def joined(frames: Sequence[tuple[BlurredFrame, Floats]], planes: int = 3) -> WideSamples:
    """Return the samples of blurred frames of one tile of `planes`, each frame with its samples' weights."""
    if not frames:
        return NO_SAMPLES
    diagonal = np.zeros((planes, *frames[0][0].shape), np.float32)
    parts, start = [], 0
    for frame, weight in frames:
        frame.add_spread(weight, diagonal, power=2)
        used = weight > 0
        rows, vectors = (np.full(np.count_nonzero(used), n, np.int32) for n in frame.size)
        parts.append((frame.first[used], frame.at[used] + np.int32(start), weight[used], rows, vectors))
        start += frame.footprints.size
    first, at, weights, rows, vectors = (np.concatenate(column) for column in zip(*parts, strict=True))
    return WideSamples(first, at, weights, np.concatenate([frame.footprints.ravel() for frame, _ in frames]), rows, vectors, diagonal.ravel())


@lru_cache(maxsize=64)
def footprints(blur: AnyBlur, scale: float) -> Floats:
    """Return the footprints (P, P, T, V) of samples for P x P sub-pixel phases (y, x) of the pixel's corner, phase p at (p + 0.5) / P.

    The pixel's area, `scale` output pixels wide, convolved with the blur, integrated over output pixels; the sum of each is 1. T x T values, then zeros up to
    V, whole vectors; the first belongs to the output pixel (T - ceil(scale) - 1) / 2 before the corner's, in both directions.
    """
    corner, most = math.ceil(scale) + 1, largest_reach(scale)
    pixels, fine = corner + 2 * most, _PHASES
    cell = np.arange(fine * pixels) - fine * most
    frequencies = np.asarray(np.fft.fftfreq(len(cell)), np.float64) * scale * fine  # cycles per raw pixel
    length = np.clip(np.minimum(cell + 1, 0.5 + fine * scale) - np.maximum(cell, 0.5), 0, 1)
    spectrum = np.fft.fft2(np.outer(length, length)) * blur.transfer(frequencies, frequencies)
    seen = np.fft.ifft2(spectrum).real
    out = np.empty((fine, fine, pixels, pixels))
    for y in range(fine):
        for x in range(fine):
            out[y, x] = np.roll(seen, (y, x), (0, 1)).reshape(pixels, fine, pixels, fine).sum((1, 3))
    reach = _reach(out.mean((0, 1)), corner, most)
    out = out[:, :, most - reach : pixels - most + reach, most - reach : pixels - most + reach]
    taps = out.shape[2]
    padded = np.zeros((fine, fine, taps, -(-taps // LANES) * LANES), np.float32)
    padded[..., :taps] = out / out.sum((2, 3), keepdims=True)
    return padded


def largest_reach(scale: float) -> int:
    """Return by how many output pixels a footprint may extend beyond those that an unblurred sample may touch, on each side."""
    return (_MOST_VECTORS * LANES - math.ceil(scale) - 1) // 2


def _reach(mass: NDArray[np.float64], corner: int, most: int) -> int:
    """Return by how many pixels footprints extend beyond an unblurred sample's: what one vector per row holds, if that is nearly all."""
    outside = [1 - mass[most - r : most + corner + r, most - r : most + corner + r].sum() / mass.sum() for r in range(most + 1)]
    one_vector = (LANES - corner) // 2
    limit = one_vector if outside[one_vector] < _ENOUGH else most
    return next((r for r in range(limit) if outside[r] < _OUTSIDE), limit)
