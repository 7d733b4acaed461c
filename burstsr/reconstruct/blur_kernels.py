"""Kernels of the frames' blur, estimated from parts of the image that all frames have given.

A sample of frame i is the mean over its pixel's area of the image displaced by k, weighted by the frame's kernel h(k). Given the image, this is linear in h:
least squares with h >= 0, for all samples of a few tiles, and a prior around the Gaussian that the frame's spectrum suggests. An image from better kernels
gives better kernels. The sharpest frames, whose kernels are a single value, keep the image sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.blur import AnyBlur, Blur, BlurKernel
from burstsr.core.parallel import in_parallel
from burstsr.reconstruct.blurred_frames import largest_reach
from burstsr.reconstruct.equations import Footprints
from burstsr.reconstruct.tiles import Tile

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
_TILES = 4  # parts of the image
_SAMPLES = 4000  # of a frame in each, at most
_PRIOR = 0.05  # standard deviation of a kernel's value
_WIDENED, _SHARPEST = 0.25, 0.2  # output pixels: sigma by which the prior's Gaussian is widened, and that of a frame without blur
_MODEL_ERROR = 0.03  # of a sample, relative
_DARKEST = 0.01  # lower limit of the level that this is of
_CLIPPED = 0.98
_OUTLIER = 3.0  # standard deviations at which samples have half of their weight
_ROUNDS = 2  # of these weights
_SHARP = 0.9  # middle value of a kernel above which its frame is not blurred
_EXTENT, _LEAST_REACH = 2.0, 2  # of a kernel: standard deviations along its longer axis, and output pixels
_DIGITS = 6  # of values: sums in another order do not change them


class Probe(NamedTuple):
    """A part of the image, (p, h, w), blurred by the lens, and where the samples of each frame lie on it."""

    seen: Floats
    positions: Sequence[Footprints]


def structured(every: Sequence[Tile], image: Floats) -> list[Tile]:
    """Return the tiles that tell most of the blur: those with the steepest detail in the image (H', W', p)."""

    def steepness(tile: Tile) -> float:
        own = image[tile.y0 : tile.y1, tile.x0 : tile.x1].mean(axis=2)
        steps = [np.abs(np.diff(np.minimum(own, _CLIPPED), axis=axis)) for axis in (0, 1)]
        return float(sum(np.sqrt(step).mean() for step in steps))  # much of it is better than a little that is very steep

    order = sorted(range(len(every)), key=lambda i: -steepness(every[i]))
    return [every[i] for i in sorted(order[:_TILES])]


def estimated(probes: Sequence[Probe], blurs: Sequence[AnyBlur | None], scale: float) -> list[AnyBlur | None]:
    """Return the blur of each frame as a kernel; None for sharp frames. blurs: what is known of them."""
    return list(in_parallel(lambda i: _kernel([(p.seen, p.positions[i]) for p in probes], blurs[i], scale), range(len(blurs))))


def _kernel(probes: Sequence[tuple[Floats, Footprints]], blur: AnyBlur | None, scale: float) -> AnyBlur | None:
    from scipy import optimize  # takes long to import

    reach = _reach(blur, scale)
    parts = [_seen(image, spots, scale, reach) for image, spots in probes]
    seen, sample, certainty = (np.concatenate(column) for column in zip(*parts, strict=True))
    size = (2 * reach + 1) ** 2
    if len(sample) < 4 * size:
        return blur
    expected = _prior(blur, scale, reach)
    variance = 1 / certainty + np.square(_MODEL_ERROR * np.maximum(sample, _DARKEST))
    kernel = expected
    for _ in range(_ROUNDS):
        left = sample - seen @ kernel
        weight = 1 / (variance + left * left / _OUTLIER**2)
        weighted = (seen * weight[:, None]).T
        normal = weighted @ seen + np.eye(size) / _PRIOR**2
        triangle = np.linalg.cholesky(normal)
        right = np.linalg.solve(triangle, weighted @ sample + expected / _PRIOR**2)
        kernel = optimize.nnls(triangle.T, right, maxiter=50 * size)[0]
    kernel = np.round(kernel / kernel.sum(), _DIGITS)
    kernel /= kernel.sum()
    return None if kernel[size // 2] > _SHARP else BlurKernel(tuple(kernel.tolist()), 1 / scale)


def _reach(blur: AnyBlur | None, scale: float) -> int:
    """Return how far a kernel extends, output pixels: a line extends to 1.7 of its standard deviation."""
    longest = np.linalg.eigvalsh(np.array(blur.moments)[[0, 1, 1, 2]].reshape(2, 2))[1] if blur else 0.0
    return int(np.clip(np.ceil(_EXTENT * scale * np.sqrt(longest)), _LEAST_REACH, largest_reach(scale)))


def _seen(image: Floats, spots: Footprints, scale: float, reach: int) -> tuple[Array, Array, Array]:
    """Return what some samples would be, displaced by every (y, x) from -reach to reach output pixels: (n, size); what they are, and their certainty, (n,)."""
    height, width = image.shape[1:]
    taps = int(np.ceil(scale)) + 1
    y, x = np.divmod(spots.where[0] % (height * width), width)
    inside = (y >= reach) & (x >= reach) & (y + taps + reach <= height) & (x + taps + reach <= width) & (spots.how[3] < _CLIPPED) & (spots.how[2] > 0)
    chosen = np.flatnonzero(inside)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(_SAMPLES, len(chosen))).astype(int)]
    where, how = spots.where[0, chosen], spots.how[:, chosen].astype(np.float64)
    around = np.arange(-reach, reach + taps)
    window = image.reshape(-1)[where[:, None, None] + (around[:, None] * width + around).astype(np.int32)].astype(np.float64)
    side = 2 * reach + 1
    rows, columns = (_shares(at, scale, taps) for at in how[:2])
    down = sum((rows[:, k, None, None] * window[:, k : k + side] for k in range(taps)), np.zeros(()))
    seen = sum((columns[:, k, None, None] * down[:, :, k : k + side] for k in range(taps)), np.zeros(()))
    return np.asarray(seen).reshape(len(chosen), side * side), how[3], how[2]


def _shares(start: Array, scale: float, taps: int) -> Array:
    """Return the share of the length from start, (n,), to start + scale in each of so many pixels, (n, taps)."""
    pixel = np.arange(taps)
    overlap = np.minimum(start[:, None] + scale, pixel + 1) - np.maximum(start[:, None], pixel)
    return np.asarray(np.maximum(overlap, 0) / scale)


def _prior(blur: AnyBlur | None, scale: float, reach: int) -> Array:
    """Return the Gaussian around which a kernel is expected, flat."""
    yy, yx, xx = (scale * scale * m for m in (blur.moments if blur else Blur(0.0, 0.0, 0.0)))
    added = (_WIDENED if blur else _SHARPEST) ** 2
    inverse = np.linalg.inv([[yy + added, yx], [yx, xx + added]])
    y, x = np.meshgrid(*(np.arange(-reach, reach + 1),) * 2, indexing="ij")
    gaussian = np.exp(-0.5 * (inverse[0, 0] * y * y + 2 * inverse[0, 1] * y * x + inverse[1, 1] * x * x))
    return np.asarray((gaussian / gaussian.sum()).ravel())
