"""What a burst's motion is worth, in numbers: how evenly its sampling grids lie, and what the best linear estimate would gain by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from burstsr.core.flow import Flow

Doubles = NDArray[np.float64]
_CONTRAST = 0.25  # of usual scenes: deviation over mean
_COLOUR = 0.02  # power of red's and blue's differences from green, over green's
_LARGEST_PX = 64.0  # structures beyond are the same to all
_FREQUENCIES = 3  # per axis, of those that alias with others
_SITES = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float64)
_CHANNELS = (0, 1, 1, 2)  # of an RGGB quad; the order of the others only moves the picture


def shifts(flows: Sequence[Flow]) -> list[Doubles]:
    """(frames, 2) motion of all frames at each corner of the picture, and at its middle; raw pixels. Rotation makes them differ."""
    places = ((0, 0), (0, -1), (-1, 0), (-1, -1))
    corners = [np.array([flow.tiles[at] for flow in flows], np.float64) for at in places]
    return [*corners, np.array([np.median(flow.tiles, axis=(0, 1)) for flow in flows], np.float64)]


def sampling_uniformity(offsets: Doubles, scale: float) -> float:
    """How evenly frames at `offsets` (n, 2), raw pixels, fill the CFA's period of 2 x 2 pixels: 0 = all alike, 1 = no alias up to `scale` is left.

    One less the mean structure factor |mean over frames of exp(i pi k d)|^2 over the wave numbers k that alias on each other at the scale.
    """
    reach = 2 * math.ceil(scale) - 1
    k = np.array([(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1) if (y, x) > (0, 0)], np.float64)
    factor = np.abs(np.exp(1j * np.pi * (offsets @ k.T)).mean(axis=0)) ** 2
    return float(1 - factor.mean())


def expected_gain_db(offsets: Doubles, scale: float, snr: float) -> float:
    """By how much the squared error falls from one frame to frames at `offsets` (n, 2), raw pixels, dB: of the best linear estimate at `scale`.

    Scenes of contrast 0.25 and power falling with the square of the frequency, colours that differ little, square pixels, mean-to-noise ratio `snr`.
    What nonlinear reconstruction gains on top, and what motion errors cost, is not in it.
    """
    return float(10 * np.log10(_left(np.zeros((1, 2)), scale, snr) / _left(offsets, scale, snr)))


def _left(offsets: Doubles, scale: float, snr: float) -> float:
    """Error variance of luma that is left, over the mean squared: Wiener's, summed over frequencies."""
    noise = 1 / snr**2
    total = 0.0
    for frequencies, power in _aliases(scale):
        count = len(frequencies)
        passed = np.sinc(frequencies[:, 0]) * np.sinc(frequencies[:, 1])  # by a pixel's square
        inverse_prior = np.concatenate([1 / power, 1 / (_COLOUR * power), 1 / (_COLOUR * power)])
        information = np.zeros((3 * count, 3 * count), np.complex128)
        for site, channel in zip(_SITES, _CHANNELS, strict=True):
            wave = np.exp(2j * np.pi * ((site + offsets) @ frequencies.T)) * passed / 2  # a quarter of the samples each: |.|^2 / 4
            seen = np.zeros((len(offsets), 3 * count), np.complex128)
            seen[:, :count] = wave
            if channel != 1:
                part = slice(count, 2 * count) if channel == 0 else slice(2 * count, None)
                seen[:, part] = wave
            information += seen.conj().T @ seen
        left = np.linalg.inv(information / (noise / 4) + np.diag(inverse_prior))
        total += float(np.real(np.diagonal(left)[:count]).sum())
    return total


@cache
def _aliases(scale: float) -> list[tuple[Doubles, Doubles]]:
    """Sets of frequencies (n, 2), cycles per raw pixel, that a CFA plane of one frame cannot tell apart, and the scene's power at each.

    Up to what the output's pixels can show; powers over all sets sum to the contrast squared.
    """
    reach = math.ceil(scale)
    sets = []
    for base in np.ndindex(_FREQUENCIES, _FREQUENCIES):
        low = (np.array(base) + 0.5) / (2 * _FREQUENCIES)  # 0 to 1/2
        steps = np.arange(-reach, reach) / 2
        frequencies = np.array([(low[0] + a, low[1] + b) for a in steps for b in steps])
        power = 1 / (np.square(frequencies).sum(axis=1) + 1 / _LARGEST_PX**2)
        sets.append((frequencies, power))
    total = sum(float(power.sum()) for _, power in sets)
    return [(frequencies, power * _CONTRAST**2 / total * _FREQUENCIES**2) for frequencies, power in sets]
