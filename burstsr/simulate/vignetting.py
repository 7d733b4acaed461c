"""Lens shading: less light towards the corners, and the gain map that undoes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAIN_POINTS = (13, 17)  # down and across; what phones write


def corner_gain(strength: float) -> NDArray[np.float32]:
    """(13, 17) float32 gains at points spread evenly over the frame, corner to corner: 1 / (1 - strength r^2), r = 1 in the corners.

    strength: share of the light that the corners lose, 0 to 0.9.
    """
    y, x = (np.linspace(-1, 1, points) for points in GAIN_POINTS)
    squared_radius = (y[:, None] ** 2 + x**2) / 2
    return (1 / (1 - strength * squared_radius)).astype(np.float32)


def gain_at_pixels(gain: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W) float32 gain of every pixel, bilinear between the map's points: a pixel's centre lies at (y + 0.5) / H of the way (DNG 1.4, chapter 7)."""
    rows, columns = (_between(length, points) for length, points in zip(shape, gain.shape, strict=True))
    return np.asarray(rows @ gain.astype(np.float64) @ columns.T, np.float32)


def _between(length: int, points: int) -> NDArray[np.float64]:
    """(length, points) weights of linear interpolation at pixel centres."""
    place = (np.arange(length) + 0.5) / length * (points - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(points)), 0))
