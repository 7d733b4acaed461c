"""Colour noise and false colour: what a colour difference shows that neither luma nor noise explains stays, the rest is smoothed away.

Eyes, and pictures, have fine detail in luma and little in colour differences; red and blue have half of green's samples, so noise and alias live there.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import BLUE, GREEN, RED
from burstsr.core.jit import over_rows
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.sensor import CHANNEL_SHARE

Floats = NDArray[np.float32]
_REACH_PX = 2.0  # raw pixels around a place that its colour is judged by
_STRIP = 128  # output rows at a time
_RANGE = 512  # output rows that one thread takes; the same for any number of threads, since sums round as strips begin
_RIDGE = 4.0  # noise variances by which luma must vary to carry colour
_OFFSET = 3.0  # read noise deviations added before the square root, so that noise around black stays on its straight part
_DARKEST = 1e-3  # level below which the square root's slope is no longer followed


class _Guide(NamedTuple):
    """Luma, and its mean and variance around."""

    luma: Floats
    mean: Floats
    variance: Floats


def denoise_chroma(image: Floats, weight: NDArray[np.floating], noise: Noise, neutral: NDArray[np.float64], scale: float, significance: float) -> None:
    """Smooth the colour differences of `picture` (H', W', 3), in place; luma stays as it is.

    On square roots of white-balanced values. Each difference, R - G and B - G, becomes a linear function of luma within 2 raw pixels (guided filter:
    He et al. 2013, eq. 5 to 8) plus what that leaves over, times 1 - significance * noise variance / its mean square, at least 0.
    weight (H', W', 3): sum of kernel weights, in samples. neutral (3,): camera RGB of a neutral object. significance 0: nothing is done.
    """
    if significance <= 0:
        return
    gain = (1.0 / np.maximum(neutral, 1e-3)).astype(np.float32)
    reach = max(1, round(_REACH_PX * scale))
    offset = np.float32(_OFFSET * float((gain * np.sqrt(noise.beta)).max()))  # the same in all colours: grey stays grey
    halo = 4 * reach  # four box means, one after another
    rows = image.shape[0]
    ranges = [*range(0, max(rows - halo, 1), max(_RANGE, halo)), rows]
    # neighbouring ranges look at these rows as they are now
    above = {row: image[row - halo : row].copy() for row in ranges[1:-1]}
    below = {row: image[row : row + halo].copy() for row in ranges[1:-1]}

    def denoise(index: int, end: int) -> None:
        for first, last in zip(ranges[index:end], ranges[index + 1 : end + 1], strict=True):
            denoise_range(first, last)

    def denoise_range(first: int, last: int) -> None:
        done: tuple[slice, Floats] | None = None
        for start in range(first, last, _STRIP):
            stop = min(start + _STRIP, last)
            low, high = max(start - halo, 0), min(stop + halo, rows)
            parts = [above[first][low - first :]] if low < first else []
            parts.append(image[max(low, first) : min(high, last)])
            parts += [below[last][: high - last]] if high > last else []
            model = (offset, *noise.of_output(range(low, high), range(image.shape[1]), scale))
            calmed = _denoised(np.concatenate(parts), weight[low:high].astype(np.float32), model, gain, reach, significance)[start - low : stop - low]
            if done is not None:  # only now: this strip still looked at those rows
                image[done[0]] = done[1]
            done = slice(start, stop), calmed
        if done is not None:
            image[done[0]] = done[1]

    over_rows(denoise, len(ranges) - 1)


def _denoised(image: Floats, weight: Floats, model: tuple[np.float32, Floats, Floats], gain: Floats, reach: int, significance: float) -> Floats:
    """model: what is added before the square root; alpha and beta of a sample's noise, (3,) or of each pixel."""
    offset, alpha, beta = model
    shifted = np.maximum(image * gain + offset, np.float32(1e-6))
    root = np.sqrt(shifted)
    level = np.maximum(image, np.float32(0.0))
    # variance of the square root: (1 / 2 sqrt(x))^2 times that of x
    variance = (alpha * level + beta) * gain * gain / (4 * np.maximum(shifted, np.float32(_DARKEST)))
    variance *= np.float32(MERGED_SHARE) / np.maximum(weight, np.float32(MERGED_SHARE))
    luma = root @ CHANNEL_SHARE
    mean_luma = _box(luma, reach)
    spread = np.maximum(_box(luma * luma, reach) - mean_luma * mean_luma, 0)
    guide = _Guide(luma, mean_luma, spread)
    denoise = [
        _denoise_difference(root[..., c] - root[..., GREEN], guide, _box(variance[..., c] + variance[..., GREEN], reach), reach, significance)
        for c in (RED, BLUE)
    ]
    green = luma - np.float32(0.25) * (denoise[0] + denoise[1])
    out = np.stack([green + denoise[0], green, green + denoise[1]], axis=-1)
    np.maximum(out, 0, out=out)
    out *= out
    out -= offset
    out /= gain
    return np.asarray(np.minimum(out, np.float32(1.0)), np.float32)


def _denoise_difference(difference: Floats, guide: _Guide, variance: Floats, reach: int, significance: float) -> Floats:
    mean = _box(difference, reach)
    gradient = (_box(guide.luma * difference, reach) - guide.mean * mean) / (guide.variance + np.float32(_RIDGE) * variance + np.float32(1e-9))
    fit = _box(gradient, reach) * guide.luma + _box(mean - gradient * guide.mean, reach)
    left = difference - fit
    energy = np.maximum(_box(left * left, reach), np.float32(1e-12))
    kept = _box(np.clip(1 - np.float32(significance) * variance / energy, 0, 1), reach)
    return np.asarray(fit + kept * left, np.float32)


def _box(plane: NDArray[np.floating], reach: int) -> Floats:
    return np.asarray(cv2.blur(plane, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_REPLICATE), np.float32)
