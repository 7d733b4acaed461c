"""Conversion of camera RGB to sRGB, on blocks of (..., 3) float32."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Colour

Pixels = NDArray[np.float32]

SATURATION_NEAR, SATURATION = 0.95, 1.0  # raw levels between which a colour fades to neutral
COLOURED, PALE = 0.2, 0.8  # smallest balanced channel of a clipped pixel that keeps its colour (a red lamp), and of one that becomes white (a sky)
KNEE = 0.5  # white-balanced level from which the highlights of a bracket are compressed
CONTRAST, PIVOT = 0.9, 0.35  # of the tone curve; its gradient stays above 1 - CONTRAST * (1 - PIVOT) = 0.4


def balance_gains(colour: Colour) -> NDArray[np.float64]:
    """Return (3,) white balance gains with minimum 1: saturation reaches 1 in every channel, so that clipped highlights are white."""
    gains = 1.0 / colour.as_shot_neutral
    return np.asarray(gains / gains.min())


def linear_srgb(rgb: Pixels, gains: NDArray[np.float64], matrix: NDArray[np.float64]) -> Pixels:
    """Convert camera RGB to (..., 3) linear sRGB, clipped at 1 before the matrix; pale pixels fade to white as any raw channel nears saturation."""
    balanced = np.minimum(rgb * gains.astype(np.float32), np.float32(1))
    return np.asarray(_without_casts(rgb, balanced) @ matrix.T.astype(np.float32))


def linear_srgb_of_bracket(rgb: Pixels, gains: NDArray[np.float64], matrix: NDArray[np.float64], peak: float) -> Pixels:
    """Convert the same with saturation at `peak`: values above 1 are kept."""
    return np.asarray(linear_srgb(rgb / np.float32(peak), gains, matrix) * np.float32(peak))


def brightest_balanced(rgb: Pixels, gains: NDArray[np.floating], peak: float) -> float:
    """Return the largest white-balanced value of a bracket's image, which saturates at `peak`."""
    return min(float((large_arrays.largest(rgb) * gains).max()), peak)


def highlights_compressed(rgb: Pixels, gains: NDArray[np.floating], white: float, peak: float) -> Pixels:
    """Compress camera RGB whose largest white-balanced value is `white` so that it becomes 1, with hues kept; values up to KNEE are unchanged.

    Pale pixels fade to white towards `peak`, where the shortest exposure saturates.

    One curve for all pixels, hence without halos: with m the largest balanced channel and u = (m - KNEE) / (1 - KNEE), m becomes
    KNEE + (1 - KNEE) log(1 + c u) / log(1 + c w), where c makes its gradient 1 at the knee.
    """
    if white <= 1:
        return rgb
    span = (white - KNEE) / (1 - KNEE)
    steepness = _steepness(span)
    top, gains = np.float32(peak), gains.astype(np.float32)
    balanced = _without_casts(rgb / top, np.minimum(rgb * (gains / top), np.float32(1))) * top
    m = balanced.max(axis=-1, keepdims=True)
    u = np.maximum((m - np.float32(KNEE)) / np.float32(1 - KNEE), 0)
    curved = np.float32(KNEE) + np.float32((1 - KNEE) / np.log1p(steepness * span)) * np.log1p(np.float32(steepness) * u)
    return np.asarray(balanced / gains * np.where(m > KNEE, curved / np.maximum(m, np.float32(KNEE)), 1), np.float32)


def _steepness(span: float) -> float:
    """Return c > 0 with c = log(1 + c span), for span > 1, by bisection."""
    low, high = 1e-9, span
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.log1p(middle * span) > middle else (low, middle)
    return 0.5 * (low + high)


def _without_casts(rgb: Pixels, balanced: Pixels) -> Pixels:
    """Blend `balanced`, which is overwritten, to neutral where a channel clipped. Monotonic in every channel, since the weights and their target are."""
    peak = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])  # three times as fast as rgb.max(axis=-1)
    clipped = peak > SATURATION_NEAR
    if not clipped.any():
        return balanced
    colours = balanced[clipped]
    weight = _smooth_step(peak[clipped], SATURATION_NEAR, SATURATION) * _smooth_step(colours.min(axis=-1), COLOURED, PALE)
    balanced[clipped] = colours + weight[:, None] * (colours.max(axis=-1, keepdims=True) - colours)
    return balanced


def _smooth_step(x: Pixels, low: float, high: float) -> Pixels:
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def tone_curve(encoded: Pixels, strength: float) -> Pixels:
    """Apply contrast to encoded values: v + 0.9 strength v (1 - v) (v - 0.35). Monotonic; 0 and 1 are fixed; strength 0 = identity."""
    if strength == 0:
        return encoded
    return np.asarray(encoded + np.float32(CONTRAST * strength) * encoded * (1 - encoded) * (encoded - np.float32(PIVOT)))
