"""A second step of back-projection, predicted from the first instead of merged from the frames.

Merge and pixels together blur about like a Gaussian G: a step of size g leaves r - g G r of the residual r (Irani & Peleg 1991, eq. 3, iterated).
Departs: only luma is added, in the colours around it, since red and blue have too few samples; without exceeding its surroundings, and only where the frames
agree, since wrong motion leaves residuals too.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.limits import at_least, at_most, extremes
from burstsr.core.resized import resized_rows
from burstsr.core.sensor import CHANNEL_SHARE
from burstsr.merge.over_strips import mean_around, over_strips, split_channels
from burstsr.settings import MergeSettings

Floats = NDArray[np.float32]
_BLUR_PX = 0.6  # sigma of merge and pixels, raw pixels
_AGREED = (0.8, 1.0)  # mean robustness at which the step begins, and at which it is taken in full
_NEAR_PX = 0.5  # radius, raw pixels, within which the step must not exceed the extremes
_COLOUR_PX = 1.0  # radius, raw pixels, within which colours are averaged
_REACH = 1.0  # radius, raw pixels, over which means are preserved
_DARKEST = 1e-3  # luma below which colours are noise


def add_predicted_step(image: Floats, residual: Floats, factor: Floats, robustness: Floats, settings: MergeSettings, scale: float) -> None:
    """Add to the image, in place, the luma that a second step of back-projection would add; consumes the residual and the factor.

    image, residual: (H', W', 3), after the first step. factor: (H', W') Wiener factor of that step. robustness: (h, w), any smaller size, mean over the
    frames. Local means of the image, so fluxes and places of stars, are preserved.
    """
    first, second = np.float32(settings.step_size), np.float32(settings.step_size * settings.predicted_step)
    height, width = image.shape[:2]
    reach, near, around = (max(round(radius * scale), 1) for radius in (_REACH, _NEAR_PX, _COLOUR_PX))
    blur_reach = math.ceil(3 * _BLUR_PX * scale)

    def predict(inner: slice, outer: slice, crop: slice) -> None:
        luma = residual[outer] @ CHANNEL_SHARE
        blurred = np.asarray(cv2.GaussianBlur(luma, (2 * blur_reach + 1,) * 2, _BLUR_PX * scale, borderType=cv2.BORDER_REPLICATE), np.float32)
        agreed = np.clip((resized_rows(robustness, (height, width), inner) - _AGREED[0]) / (_AGREED[1] - _AGREED[0]), 0, 1)
        factor[inner] *= second * agreed * (luma - first * blurred)[crop]

    def colour(inner: slice, outer: slice, crop: slice) -> None:
        planes = split_channels(image[outer])
        means = [mean_around(at_least(plane, 0), around)[crop] for plane in planes]
        share = factor[inner] / at_least(sum(s * mean for s, mean in zip(CHANNEL_SHARE, means, strict=True)), _DARKEST)
        for c, (plane, mean) in enumerate(zip(planes, means, strict=True)):
            stepped = plane[crop] + share * mean
            np.clip(stepped, *(extreme[crop] for extreme in extremes(plane, near)), out=stepped)
            np.subtract(stepped, plane[crop], out=residual[inner, :, c])

    def add(inner: slice, outer: slice, crop: slice) -> None:
        image[inner] += residual[inner] - mean_around(mean_around(residual[outer], reach), reach)[crop]
        at_most(image[inner], 1, out=image[inner])

    over_strips(predict, height, blur_reach)
    over_strips(colour, height, max(near, around))
    over_strips(add, height, 2 * reach)
