"""Forward model: the frame predicted from an image, written independently of the merge's loops so that it can test them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from burstsr.core.cfa import Cfa
from burstsr.core.flow import Flow

Floats = NDArray[np.float32]
_MARGIN = 4.0  # raw pixels inside the image's border within which a prediction counts


@dataclass(frozen=True)
class Prediction:
    """samples: (H, W) float32 of a frame. seen: (H, W) bool, where the image covers them. places: (H, W, 2) their positions in the reference, raw pixels."""

    samples: Floats
    seen: NDArray[np.bool_]
    places: NDArray[np.float64]


def predicted(image: Floats, scale: float, flow: Flow, cfa: Cfa, shape: tuple[int, int]) -> Prediction:
    """Predict a frame of `shape` (H, W) with `flow` from an image.

    image: (round(s H), round(s W), 3). Sample q is the mean of its colour over the square of one raw pixel at p = q + inverse flow(q): exact, since
    the integral of a surface of square pixels is bilinear between its corners.
    """
    height, width = shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    places = np.stack([y, x], axis=-1) + flow.inverse().at(y, x)
    out = np.empty(shape, np.float32)
    for channel in range(3):
        integral = np.zeros((image.shape[0] + 1, image.shape[1] + 1))
        np.cumsum(np.cumsum(image[..., channel], axis=0, dtype=np.float64), axis=1, out=integral[1:, 1:])
        for i, j in cfa.sites(channel):
            top, left = (places[i :: cfa.period[0], j :: cfa.period[1], k] * scale for k in (0, 1))  # edge coordinates: (p + 0.5) s - s / 2
            out[i :: cfa.period[0], j :: cfa.period[1]] = _square_sum(integral, top, left, scale) / scale**2
    seen = np.ones(shape, np.bool_)
    for k, length in enumerate(shape):
        seen &= (places[..., k] >= _MARGIN) & (places[..., k] <= length - 1 - _MARGIN)
    return Prediction(out, seen, places)


def _square_sum(integral: NDArray[np.float64], top: NDArray[np.float64], left: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    total = np.zeros(top.shape)
    for dy, dx, sign in ((side, side, 1), (0.0, 0.0, 1), (0.0, side, -1), (side, 0.0, -1)):
        total += sign * ndimage.map_coordinates(integral, [top + dy, left + dx], order=1, mode="nearest")
    return total
