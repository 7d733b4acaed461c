"""Chroma denoising: colour differences are smoothed except where luma, or a significant residual, supports them.

Images have fine detail in luma and little in colour differences; red and blue have half as many samples as green, so noise and aliasing dominate there.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays, mapped_pages
from burstsr.core.cfa import BLUE, GREEN, RED
from burstsr.core.jit import over_rows
from burstsr.core.limits import at_least, at_most
from burstsr.core.noise import MERGED_SHARE, Noise
from burstsr.core.sensor import CHANNEL_SHARE
from burstsr.merge.over_strips import mean_around, split_channels

Floats = NDArray[np.float32]
_REACH_PX = 2.0  # radius of the guided filter, raw pixels
_STRIP = 128  # output rows at a time
_RANGE = 512  # output rows per thread; independent of the number of threads, since rounding depends on where strips begin
_COARSE_PX = 1.4  # raw pixels, the radius of the mean that colours outlive and artefacts of aliasing or wrong motion do not
_USUAL_LEVEL, _QUIET = 0.2, 3e-4  # variance of a sample of that level from which fine colours are lost in noise, and cells suffice: ISO 500 of a small sensor
_AVERAGED = 1 / 12  # noise variance of that mean, relative to a pixel's, whose neighbours have some of the same noise
_RIDGE = 4.0  # regularisation of the guided filter, in noise variances
_OFFSET = 3.0  # standard deviations of read noise added before the square root, so that it is nearly linear around black
_DARKEST = 1e-3  # lower limit of the level at which the square root's derivative is evaluated


class _CoarseGrid(NamedTuple):
    """Grid of cells of `step` x `step` pixels. reach: radius of local means, in cells. coarse: that of the mean whose significance is tested."""

    step: int
    reach: int
    coarse: int

    def downsampled(self, values: Floats) -> Floats:
        """Return the mean of each cell; edges are repeated."""
        if self.step == 1:
            return values
        height, width = values.shape[:2]
        more = -height % self.step, -width % self.step
        if any(more):
            values = np.asarray(cv2.copyMakeBorder(values, 0, more[0], 0, more[1], cv2.BORDER_REPLICATE), np.float32)
        size = (values.shape[1] // self.step, values.shape[0] // self.step)
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)

    def mean(self, values: Floats) -> Floats:
        """Return the mean of the cells around each."""
        return mean_around(self.downsampled(values), self.reach)

    def upsampled(self, cells: Floats, shape: tuple[int, ...]) -> Floats:
        """Return cells interpolated to pixels, bilinear."""
        if self.step == 1:
            return cells
        size = (cells.shape[1] * self.step, cells.shape[0] * self.step)
        return np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR), np.float32)[: shape[0], : shape[1]]


class _Guide(NamedTuple):
    """Luma, and of its cells local mean and variance."""

    luma: Floats
    mean: Floats
    variance: Floats


def denoise_chroma(image: Floats, weight: NDArray[np.floating], noise: Noise, neutral: NDArray[np.float64], scale: float, significance: float) -> None:
    """Smooth the colour differences of `image` (H', W', 3), in place; luma is unchanged.

    Operates on square roots of white-balanced values. Each difference, R - G and B - G, is replaced by its guided-filter fit to luma within 2 raw pixels
    (He et al. 2013, eq. 5 to 8; where noise is high, means of cells of a raw pixel, as He & Sun 2015) plus the residual times max(1 - significance * noise
    variance / mean square, 0), both of the residual's mean over 3 raw pixels: it has edges of colour without luma, but not the colours of aliasing, which
    alternate.
    weight (H', W', 3): sum of kernel weights, in samples. neutral (3,): camera RGB of a neutral object. significance 0: the image is unchanged.
    """
    if significance <= 0:
        return
    gain = (1.0 / np.maximum(neutral, 1e-3)).astype(np.float32)
    step = 1 if noise.variance(_USUAL_LEVEL, GREEN) < _QUIET else max(1, int(scale))
    grid = _CoarseGrid(step, *(max(1, round(radius * scale / step)) for radius in (_REACH_PX, _COARSE_PX)))
    offset = np.float32(_OFFSET * float((gain * np.sqrt(noise.beta)).max()))  # equal in all colours, to preserve neutral tones
    halo = (5 * grid.reach + grid.coarse + 1) * step  # means, one after another, and an interpolation
    height, span = _STRIP // step * step, _RANGE // step * step
    rows = image.shape[0]
    ranges = [*range(0, max(rows - halo, 1), max(span, halo)), rows]
    # neighbouring ranges read these rows unmodified
    above = {row: large_arrays.copied(image[row - halo : row]) for row in ranges[1:-1]}
    below = {row: large_arrays.copied(image[row : row + halo]) for row in ranges[1:-1]}

    def denoise(index: int, end: int) -> None:
        for first, last in zip(ranges[index:end], ranges[index + 1 : end + 1], strict=True):
            denoise_range(first, last)

    def denoise_range(first: int, last: int) -> None:
        done: tuple[slice, Floats] | None = None
        for start in range(first, last, height):
            stop = min(start + height, last)
            low, high = max(start - halo, 0), min(stop + halo, rows)
            parts = [above[first][low - first :]] if low < first else []
            parts.append(image[max(low, first) : min(high, last)])
            parts += [below[last][: high - last]] if high > last else []
            model = (offset, *noise.of_output(range(low, high), range(image.shape[1]), scale))
            denoised = _denoised(np.concatenate(parts), weight[low:high].astype(np.float32), model, gain, grid, significance)[start - low : stop - low]
            if done is not None:  # deferred: this strip reads those rows unmodified
                image[done[0]] = done[1]
            done = slice(start, stop), denoised
            mapped_pages.release()
        if done is not None:
            image[done[0]] = done[1]

    over_rows(denoise, len(ranges) - 1)


def _denoised(image: Floats, weight: Floats, model: tuple[np.float32, Floats, Floats], gain: Floats, grid: _CoarseGrid, significance: float) -> Floats:
    """Return the denoised image. model: offset before the square root; alpha and beta of a sample's noise, (3,) or of each pixel."""
    offset, alpha, beta = model
    root, variance = [], []
    for c, (plane, weights) in enumerate(zip(split_channels(image), split_channels(weight), strict=True)):
        root.append(np.sqrt(at_least(plane * gain[c] + offset, 1e-6)))
        level = at_least(grid.downsampled(plane), 0)
        a, b = (grid.downsampled(np.ascontiguousarray(v[..., c], np.float32)) if v.ndim > 1 else v[c] for v in (alpha, beta))
        # error propagation: variance of sqrt(x) = (1 / 2 sqrt(x))^2 variance of x
        of_root = (a * level + b) * (gain[c] * gain[c] / 4) / at_least(level * gain[c] + offset, _DARKEST)
        variance.append(of_root * np.float32(MERGED_SHARE) / at_least(grid.downsampled(weights), MERGED_SHARE))
    luma = CHANNEL_SHARE[RED] * root[RED] + CHANNEL_SHARE[GREEN] * root[GREEN] + CHANNEL_SHARE[BLUE] * root[BLUE]
    mean_luma = grid.mean(luma)
    guide = _Guide(luma, mean_luma, at_least(grid.mean(luma * luma) - mean_luma * mean_luma, 0))
    red, blue = (
        _denoise_difference(root[c] - root[GREEN], guide, mean_around(variance[c] + variance[GREEN], grid.reach), grid, significance) for c in (RED, BLUE)
    )
    green = luma - CHANNEL_SHARE[RED] * red - CHANNEL_SHARE[BLUE] * blue
    squares = []
    for plane, factor in zip((green + red, green, green + blue), gain, strict=True):
        at_least(plane, 0, out=plane)
        plane *= plane
        plane -= offset
        plane /= factor
        squares.append(at_most(plane, 1, out=plane))
    return np.asarray(cv2.merge(squares), np.float32)


def _denoise_difference(difference: Floats, guide: _Guide, variance: Floats, grid: _CoarseGrid, significance: float) -> Floats:
    mean = grid.mean(difference)
    gradient = (grid.mean(guide.luma * difference) - guide.mean * mean) / (guide.variance + np.float32(_RIDGE) * variance + np.float32(1e-9))
    fit = grid.upsampled(mean_around(gradient, grid.reach), difference.shape) * guide.luma
    fit += grid.upsampled(mean_around(mean - gradient * guide.mean, grid.reach), difference.shape)
    residual = difference - fit
    coarse = mean_around(grid.downsampled(residual), grid.coarse)
    energy = at_least(mean_around(coarse * coarse, grid.reach), 1e-12)
    kept = np.asarray(np.clip(1 - np.float32(significance * _AVERAGED) * variance / energy, 0, 1), np.float32)
    near = np.ones((2 * grid.reach + 1,) * 2, np.uint8)
    kept = mean_around(np.asarray(cv2.dilate(kept, near), np.float32), grid.reach)  # first widened: a mean alone lets colours bleed beside edges
    residual *= grid.upsampled(kept, difference.shape)
    residual += fit
    return residual
