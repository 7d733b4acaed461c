"""Chroma denoising: colour differences are smoothed except where luma, or a significant residual, supports them.

Images have fine detail in luma and little in colour differences; red and blue have half as many samples as green, so noise and aliasing dominate there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays, mapped_pages
from burstsr.core.cfa import BLUE, GREEN, RED
from burstsr.core.jit import over_rows
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.sensor import CHANNEL_SHARE
from burstsr.merge.over_strips import mean_around

Floats = NDArray[np.float32]
_REACH_PX = 2.0  # radius of the guided filter, raw pixels
_STRIP = 128  # output rows at a time
_RANGE = 512  # output rows per thread; independent of the number of threads, since rounding depends on where strips begin
_RIDGE = 4.0  # regularisation of the guided filter, in noise variances
_OFFSET = 3.0  # standard deviations of read noise added before the square root, so that it is nearly linear around black
_DARKEST = 1e-3  # lower limit of the level at which the square root's derivative is evaluated


class _Guide(NamedTuple):
    """Luma with its local mean and variance."""

    luma: Floats
    mean: Floats
    variance: Floats


def denoise_chroma(image: Floats, weight: NDArray[np.floating], noise: Noise, neutral: NDArray[np.float64], scale: float, significance: float) -> None:
    """Smooth the colour differences of `image` (H', W', 3), in place; luma is unchanged.

    Operates on square roots of white-balanced values. Each difference, R - G and B - G, is replaced by its guided-filter fit to luma within 2 raw pixels
    (He et al. 2013, eq. 5 to 8) plus the residual times max(1 - significance * noise variance / mean square residual, 0).
    weight (H', W', 3): sum of kernel weights, in samples. neutral (3,): camera RGB of a neutral object. significance 0: the image is unchanged.
    """
    if significance <= 0:
        return
    gain = (1.0 / np.maximum(neutral, 1e-3)).astype(np.float32)
    reach = max(1, round(_REACH_PX * scale))
    offset = np.float32(_OFFSET * float((gain * np.sqrt(noise.beta)).max()))  # equal in all colours, to preserve neutral tones
    halo = 4 * reach  # four box means, one after another
    rows = image.shape[0]
    ranges = [*range(0, max(rows - halo, 1), max(_RANGE, halo)), rows]
    # neighbouring ranges read these rows unmodified
    above = {row: large_arrays.copied(image[row - halo : row]) for row in ranges[1:-1]}
    below = {row: large_arrays.copied(image[row : row + halo]) for row in ranges[1:-1]}

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
            denoised = _denoised(np.concatenate(parts), weight[low:high].astype(np.float32), model, gain, reach, significance)[start - low : stop - low]
            if done is not None:  # deferred: this strip reads those rows unmodified
                image[done[0]] = done[1]
            done = slice(start, stop), denoised
            mapped_pages.release()
        if done is not None:
            image[done[0]] = done[1]

    over_rows(denoise, len(ranges) - 1)


def _denoised(image: Floats, weight: Floats, model: tuple[np.float32, Floats, Floats], gain: Floats, reach: int, significance: float) -> Floats:
    """Return the denoised image. model: offset before the square root; alpha and beta of a sample's noise, (3,) or of each pixel."""
    offset, alpha, beta = model
    shifted = np.maximum(image * gain + offset, np.float32(1e-6))
    root = np.sqrt(shifted)
    level = np.maximum(image, np.float32(0.0))
    # error propagation: variance of sqrt(x) = (1 / 2 sqrt(x))^2 variance of x
    variance = (alpha * level + beta) * gain * gain / (4 * np.maximum(shifted, np.float32(_DARKEST)))
    variance *= np.float32(MERGED_SHARE) / np.maximum(weight, np.float32(MERGED_SHARE))
    luma = root @ CHANNEL_SHARE
    mean_luma = mean_around(luma, reach)
    spread = np.maximum(mean_around(luma * luma, reach) - mean_luma * mean_luma, 0)
    guide = _Guide(luma, mean_luma, spread)
    denoise = [
        _denoise_difference(root[..., c] - root[..., GREEN], guide, mean_around(variance[..., c] + variance[..., GREEN], reach), reach, significance)
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
    mean = mean_around(difference, reach)
    gradient = (mean_around(guide.luma * difference, reach) - guide.mean * mean) / (guide.variance + np.float32(_RIDGE) * variance + np.float32(1e-9))
    fit = mean_around(gradient, reach) * guide.luma + mean_around(mean - gradient * guide.mean, reach)
    residual = difference - fit
    energy = np.maximum(mean_around(residual * residual, reach), np.float32(1e-12))
    kept = mean_around(np.clip(1 - np.float32(significance) * variance / energy, 0, 1), reach)
    return np.asarray(fit + kept * residual, np.float32)
