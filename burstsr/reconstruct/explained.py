"""What is done where an image does not explain the samples: contradicting samples (a moving branch, a blinking lamp, a hot pixel) cause ringing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.limits import extremes
from burstsr.reconstruct.agreement import excess, falling, mean_misfit
from burstsr.reconstruct.data import TileData

Floats = NDArray[np.float32]
_UNEXPLAINED = (2.5, 4.0)  # mean squared residual over variance: from explained to unexplained
_UNIMPROVED = (0.25, 0.5)  # the same relative to that of the first estimate
_DOUBTED = (1.2, 1.5)  # as _UNEXPLAINED, from certain to doubted
_HARDLY_IMPROVED = (0.1, 0.3)  # what exceeds the noise, relative to what exceeded it in the first estimate
_CONTRADICTED = (1.3, 2.0)  # as _UNEXPLAINED, where x is also steeper than the first estimate:
_STEEPER = (2.0, 3.0)  # squared gradients relative to the first estimate's: from detail to dots
_NEAR_PX = 0.5  # radius, raw pixels, of the surroundings
_ALONE = (1.5, 2.5)  # effective number of frames: from one alone to enough to tell detail from aliases
_WRONG = (3.0, 6.0)  # squared residuals of the reference from the first estimate, relative to those that noise and a motion error explain
_ERROR_PX = 0.1  # that error, raw pixels
_AROUND_ALONE_PX = 1.0  # radius, raw pixels, of the surroundings there: noise is averaged over more of them than dots are wide


def without_dots(data: TileData, robustness_maps: Sequence[Floats], x: Floats, start: Floats, scale: float) -> Floats:
    """Return the image x (p, h, w) within the range of the first estimate `start` where it hardly explains the samples better, or steeply and not in full.

    Samples of a few frames that contradict each other may be explained all the same, by dots: they are outside the range of `start`, which is the frames' mean.
    """
    robustness_maps = data.weighted(robustness_maps)
    left = mean_misfit(data.misfits(x), robustness_maps)
    if left.max() <= _DOUBTED[0]:
        return x
    before = mean_misfit(data.misfits_of_start(), robustness_maps)
    still = np.asarray((left - 1) / np.maximum(before - 1, np.float32(1e-3)), np.float32)
    certain = np.maximum(falling(left, *_DOUBTED), falling(still, *_HARDLY_IMPROVED) * falling(left, *_UNEXPLAINED))
    steeper = np.asarray(data.steepness(x) / np.maximum(data.steepness_of_start, np.float32(1e-6)), np.float32)
    certain = np.minimum(certain, np.maximum(falling(left, *_CONTRADICTED), falling(steeper, *_STEEPER)))
    return np.asarray(x + data.of_pixels(1 - certain) * (np.clip(x, *_range(start, _NEAR_PX * scale)) - x), np.float32)


def without_aliases(data: TileData, robustness_maps: Sequence[Floats], x: Floats, start: Floats, scale: float, own: tuple[int, Floats] | None) -> Floats:
    """Return the image x (p, h, w) within the range of the first estimate `start` around each pixel, where hardly more than one frame counts.

    The samples of one frame do not tell fine detail from aliases, which reconstruction would enhance: checkers at edges of equal brightness, false stripes.
    own: where frames contradict each other, the reference's index and its own image, whose range is added where the reference contradicts `start`.
    """
    frames = np.asarray(sum(cv2.blur(weight, (3, 3)) for weight in data.weighted(robustness_maps)), np.float32)
    alone = falling(frames, *_ALONE)
    if not alone.any():
        return x
    low, high = _range(start, _AROUND_ALONE_PX * scale)
    limited = np.clip(x, low, high)
    if own is not None:
        reference, image = own
        lowest, highest = _range(image, _AROUND_ALONE_PX * scale)
        wrong = data.of_pixels(1 - falling(excess(data, start, _ERROR_PX)[reference], *_WRONG))
        limited += wrong * (np.clip(x, np.minimum(low, lowest), np.maximum(high, highest)) - limited)
    return np.asarray(x + data.of_pixels(alone) * (limited - x), np.float32)


def keep_explained(data: TileData, robustness_maps: Sequence[Floats], x: Floats, start: Floats) -> Floats:
    """Return the image x (p, h, w) where it explains the samples, elsewhere the first estimate `start`.

    Detail that is slightly misaligned is also left unexplained, but far better explained than by the first estimate.
    """
    robustness_maps = data.weighted(robustness_maps)
    left = mean_misfit(data.misfits(x), robustness_maps)
    if left.max() <= _UNEXPLAINED[0]:
        return x
    before = mean_misfit(data.misfits_of_start(), robustness_maps)
    remaining = np.asarray(left / np.maximum(before, np.float32(1e-6)), np.float32)
    share = data.of_pixels(np.maximum(falling(left, *_UNEXPLAINED), falling(remaining, *_UNIMPROVED)))
    return np.asarray(start + share * (x - start), np.float32)


def _range(image: Floats, reach: float) -> tuple[Floats, Floats]:
    """Return the extremes of an image (p, h, w) within `reach` pixels of each, plane by plane."""
    low, high = zip(*(extremes(plane, max(1, round(reach))) for plane in image), strict=True)
    return np.stack(low), np.stack(high)
