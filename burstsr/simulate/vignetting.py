"""Vignetting: lower intensity towards the corners, and the gain map that corrects it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAIN_POINTS = (13, 17)  # rows and columns; as in files of phones


def corner_gain(strength: float) -> NDArray[np.float32]:
    """Return (13, 17) float32 gains at points spaced evenly over the frame, corner to corner: 1 / (1 - strength r^2), r = 1 in the corners.

    strength: fraction lost in the corners, 0 to 0.9.
    """
    y, x = (np.linspace(-1, 1, points) for points in GAIN_POINTS)
    squared_radius = (y[:, None] ** 2 + x**2) / 2
    return (1 / (1 - strength * squared_radius)).astype(np.float32)


def gain_at_pixels(gain: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the (H, W) float32 gain of every pixel, bilinear between the map's points: pixel centres are at (y + 0.5) / H of the map (DNG 1.4, chapter 7)."""
    rows, columns = (_between(length, points) for length, points in zip(shape, gain.shape, strict=True))
    return np.asarray(rows @ gain.astype(np.float64) @ columns.T, np.float32)


def _between(length: int, points: int) -> NDArray[np.float64]:
    """Return (length, points) weights of linear interpolation at pixel centres."""
    place = (np.arange(length) + 0.5) / length * (points - 1)
    return np.asarray(np.maximum(1 - np.abs(place[:, None] - np.arange(points)), 0))
