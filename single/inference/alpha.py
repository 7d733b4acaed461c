"""Colours of transparent pixels: they are arbitrary, often black, and must not reach visible ones when an image is resized."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_LEAST_ALPHA = 1 / 510  # half a step of 8 bits: below it a pixel is transparent
_LEAST_WEIGHT = 1e-4


def without_transparent(pixels: Floats) -> Floats:
    """Return the colours (H, W, C - 1) of an image whose last channel is alpha, those of transparent pixels replaced by the visible ones around.

    Opaque and translucent pixels keep their colours (alpha is not premultiplied in PNG and TIFF). Of a wholly transparent image nothing is replaced.
    """
    alpha = pixels[:, :, -1]
    colours = np.ascontiguousarray(pixels[:, :, :-1])
    unknown = alpha < _LEAST_ALPHA
    if not unknown.any() or unknown.all():
        return colours
    weighted, weight = np.where(unknown[:, :, None], 0, colours * alpha[:, :, None]).astype(np.float32), np.where(unknown, 0, alpha).astype(np.float32)
    sigma = 1.0
    while unknown.any():
        near = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        mean = cv2.GaussianBlur(weighted, (0, 0), sigma, borderType=cv2.BORDER_REFLECT).reshape(colours.shape) / np.maximum(near, 1e-12)[:, :, None]
        reached = unknown & (near > _LEAST_WEIGHT)
        colours[reached] = mean[reached]
        unknown &= ~reached
        if sigma > max(alpha.shape):  # farther than the image is wide: nothing there is ever seen
            break
        sigma *= 2
    return colours
