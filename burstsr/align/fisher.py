"""Fisher information about a tile's motion from its image structure, corrected for the contribution of noise."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from burstsr.align import motion_loops

Array = NDArray[np.float64]
LOW_PASS = np.array([1.0, 2.0, 1.0]) / 4.0  # of `luma`, per axis; zero at the CFA's carrier frequency: colour does not appear as structure
_PYR_DOWN = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0  # of the pyramid, per axis (Burt & Adelson 1983)
_GRADIENT = np.array([-0.5, 0.0, 0.5])
SECOND_DIFFERENCE_NOISE = float((np.convolve(LOW_PASS, [0.5, -1.0, 0.5]) ** 2).sum() * (LOW_PASS**2).sum())  # variance of luma's halved second difference
_ALIAS_PX = 0.03  # error of a tile that remains without noise: aliasing
_CORRELATED = 4.0  # number of neighbouring pixels over which low-passed noise is correlated
_SIGNIFICANT = 3.0  # standard deviations by which structure must exceed noise to count
_NOISE_ERROR = 0.15  # relative error of the noise model that standard errors allow for: underestimated noise appears as structure
_MEDIAN_OF_SQUARE = 1.386  # of the squared length of two standard normal variables


def _upsampled(taps: Array, step: int) -> Array:
    out = np.zeros((len(taps) - 1) * step + 1)
    out[::step] = taps
    return out


@cache
def noise_gain(level: int) -> tuple[float, float]:
    """Return the variances of the luma image and of its halved central difference, at a pyramid level, for white noise of variance 1 in the mosaic."""
    taps = LOW_PASS
    for i in range(level):
        taps = np.convolve(taps, _upsampled(_PYR_DOWN, 2**i))
    gradient = np.convolve(taps, _upsampled(_GRADIENT, 2**level))
    return float((taps**2).sum() ** 2), float((gradient**2).sum() * (taps**2).sum())


def without_noise(sums: NDArray[np.float32], level: int, noise_error: float = 0.0) -> tuple[Array, Array]:
    """Subtract the noise from structure tensors; return Hessians (..., 2, 2), floored to stay invertible, and their information, 1/px^2 of the level.

    sums (..., 4): sums of gy gy, gy gx, gx gx over a window, and its number of pixels. With H the Hessian of the structure and G = n * gradient noise, the
    estimate H^-1 sum g r has covariance 2 v H^-1 (H + G) H^-1, where v is luma's noise variance; eigenvalues of H within 3 standard deviations of zero are
    set to zero. noise_error: relative error of the noise model; that share of G is subtracted from H as well.
    """
    variance, gradient = noise_gain(level)
    pixels = np.maximum(sums[..., 3].astype(np.float64), 1.0)
    a, b, c = (sums[..., i].astype(np.float64) for i in range(3))
    middle, radius = 0.5 * (a + c), np.hypot(0.5 * (a - c), b)
    values = np.stack([middle - radius, middle + radius], -1)
    from_noise = (pixels * gradient)[..., None]
    structure = values - from_noise
    certain = np.maximum(structure - _SIGNIFICANT * from_noise * np.sqrt(2.0 * _CORRELATED / pixels)[..., None] - noise_error * from_noise, 0.0)
    precision = certain**2 / ((certain + from_noise) * 2.0 * variance)
    precision = precision / (1.0 + precision * _ALIAS_PX**2)
    solvable = np.maximum(structure, 0.25 * from_noise)
    larger = np.stack([0.5 * (a - c), b, 0.5 * (c - a)], -1) / np.maximum(2.0 * radius, 1e-300)[..., None]  # its projector - identity / 2
    return _composed(solvable, larger), _composed(precision, larger)


def certain_information(sums: NDArray[np.float32], windows: float) -> Array:
    """Return the information (nty, ntx, 2, 2), 1/px^2, of each tile about the global motion, with an allowance for error of the noise model.

    sums: as for `without_noise`, of mosaic pixels. windows: number of tile windows that each pixel is part of.
    """
    return without_noise(sums, 0, _NOISE_ERROR)[1] / windows


def translation_error(residual: Array, information: Array) -> float:
    """Return the standard error of the global translation, px, along the axis where it is largest; inf where it cannot be determined.

    residual (nty, ntx, 2): tile motion minus global motion. information (nty, ntx, 2, 2): of independent tiles. If tiles scatter more than their
    information predicts, the error is scaled up by the same factor.
    """
    known = np.linalg.eigvalsh(information.sum((0, 1)))[0]
    if not known > 0:
        return float("inf")
    squared = np.einsum("yxa,yxab,yxb->yx", residual, information, residual)
    excess = weighted_median(squared, np.einsum("yxaa->yx", information)) / _MEDIAN_OF_SQUARE
    return float(np.sqrt(max(excess, 1.0) / known))


def _composed(values: Array, larger: Array) -> Array:
    """Return symmetric matrices (..., 2, 2) from their eigenvalues (..., 2), smaller first, and the larger's projector (yy, yx, xx) minus half the identity."""
    mean, difference = 0.5 * (values[..., 0] + values[..., 1]), values[..., 1] - values[..., 0]
    off = difference * larger[..., 1]
    return np.stack([np.stack([mean + difference * larger[..., 0], off], -1), np.stack([off, mean + difference * larger[..., 2]], -1)], -2)


def weighted_median(values: Array, weights: Array) -> float:
    """Return the value at which the cumulative weight reaches half of the total; 0 if the total is 0."""
    return float(motion_loops.weighted_median(values.ravel(), weights.ravel()))
