"""Where a straight edge is: the line along which the sum of steps across it is largest (a Radon transform of the gradient), coarse, then fine.

Noise of a whole frame adds up to little along any one line, however large the frame is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_COARSE = 160  # samples along the longer side of the image that is searched first
_SLOPES = np.linspace(-1.0, 1.0, 101)
_FINER = np.linspace(-1.5, 1.5, 41)  # of the error of a coarse slope
_STEP = 3  # samples on either side over which a step is averaged


class Line(NamedTuple):
    """x = offset + slope * y about the centre of the image, samples; of the transposed image if `transposed`. strength: sum of steps along it."""

    slope: float
    offset: float
    transposed: bool
    strength: float


def find_line(image: Doubles) -> Line:
    """Return the strongest straight edge of an image (h, w)."""
    return max((_found(image, False), _found(np.ascontiguousarray(image.T), True)), key=lambda line: line.strength)


def _found(image: Doubles, transposed: bool) -> Line:
    """Return the strongest edge within 45 degrees of the columns."""
    factor = -(-max(image.shape) // _COARSE)
    height, width = (n // factor for n in image.shape)
    small = image[: height * factor, : width * factor].reshape(height, factor, width, factor).mean(axis=(1, 3))
    y, x = _places(height, width, image.shape, factor)
    slope, offset, strength = _strongest(_steps(small), y, x, _SLOPES, factor)
    if factor > 1:
        rows, columns = _places(image.shape[0], image.shape[1], image.shape, 1)
        across = columns - slope * rows - offset
        near = np.abs(across) <= 3 * factor
        finer = slope + _FINER * 2 * factor / image.shape[0]
        slope, offset, _ = _strongest(_steps(image)[near], rows[near], columns[near], finer, 1)
    return Line(slope, offset, transposed, strength)


def _places(height: int, width: int, shape: tuple[int, ...], factor: int) -> tuple[Doubles, Doubles]:
    """Return y and x, (height, width), of blocks of `factor` samples about the centre of `shape`."""
    y, x = ((np.arange(n) + 0.5) * factor - whole / 2 for n, whole in zip((height, width), shape, strict=True))
    a, b = np.broadcast_arrays(y[:, None], x)
    return np.asarray(a), np.asarray(b)


def _steps(image: Doubles) -> Doubles:
    """Return the difference of the means of the samples to the right and to the left of each, (h, w); 0 near the ends."""
    sums = np.cumsum(np.pad(image, ((0, 0), (1, 0))), axis=1)
    out = np.zeros_like(image)
    if image.shape[1] > 2 * _STEP:
        right, left = sums[:, 2 * _STEP + 1 :] - sums[:, _STEP + 1 : -_STEP], sums[:, _STEP : -_STEP - 1] - sums[:, : -2 * _STEP - 1]
        out[:, _STEP:-_STEP] = (right - left) / _STEP
    return out


def _strongest(steps: Doubles, y: Doubles, x: Doubles, slopes: Doubles, bin_px: float) -> tuple[float, float, float]:
    """Return slope and offset of the line with the largest sum of steps, and that sum."""
    best = (0.0, 0.0, -1.0)
    for slope in slopes:
        place = (x - slope * y).ravel() / bin_px
        first = float(np.floor(place.min())) - 1
        index = np.asarray(place - first + 0.5, np.int64)
        sums = np.abs(np.convolve(np.bincount(index, steps.ravel()), (0.25, 0.5, 0.25), "same"))
        k = int(np.argmax(sums))
        if sums[k] > best[2]:
            left, right = (float(sums[j]) if 0 <= j < len(sums) else 0.0 for j in (k - 1, k + 1))
            shift = 0.5 * (left - right) / min(left - 2 * float(sums[k]) + right, -1e-12)
            best = (float(slope), (k + first + float(np.clip(shift, -0.5, 0.5))) * bin_px, float(sums[k]))
    return best
