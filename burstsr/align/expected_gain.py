"""Expected benefit of a burst's motion: uniformity of its sampling, and the gain of the optimal linear estimator from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from burstsr.core.flow import Flow

Doubles = NDArray[np.float64]
_CONTRAST = 0.25  # of typical scenes: standard deviation over mean
_COLOUR = 0.02  # power of red - green and of blue - green, relative to green
_LARGEST_PX = 64.0  # period beyond which structure is sampled equally well by every burst
_FREQUENCIES = 3  # base frequencies per axis; each with its aliases
_SITES = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], np.float64)
_CHANNELS = (0, 1, 1, 2)  # of an RGGB cell; other orders only shift the image
_MONO = (1, 1, 1, 1)  # luma alone


def shifts(flows: Sequence[Flow]) -> list[Doubles]:
    """Return the (frames, 2) motion of all frames, raw pixels, at each corner of the image and its median; they differ under rotation."""
    corner_tiles = ((0, 0), (0, -1), (-1, 0), (-1, -1))
    corners = [np.array([flow.tiles[at] for flow in flows], np.float64) for at in corner_tiles]
    return [*corners, np.array([np.median(flow.tiles, axis=(0, 1)) for flow in flows], np.float64)]


def sampling_uniformity(offsets: Doubles, scale: float, period: int = 2) -> float:
    """Return how uniformly frames at `offsets` (n, 2), raw pixels, sample the CFA's period: 0 = identical, 1 = no aliasing up to `scale`.

    One minus the mean structure factor |mean over frames of exp(2 i pi k d / period)|^2 over the wave numbers k that alias onto each other at `scale`.
    period: of the CFA per axis, raw pixels: 2 for Bayer, 1 for monochrome, in which nothing aliases at scale 1.
    """
    reach = period * math.ceil(scale) - 1
    if reach == 0:
        return 1.0
    k = np.array([(y, x) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1) if (y, x) > (0, 0)], np.float64)
    factor = np.abs(np.exp(2j * np.pi / period * (offsets @ k.T)).mean(axis=0)) ** 2
    return float(1 - factor.mean())


def expected_gain_db(offsets: Doubles, scale: float, snr: float, mono: bool = False) -> float:
    """Return the reduction in mean squared error, dB, from one frame to frames at `offsets` (n, 2), raw pixels, for the optimal linear estimator at `scale`.

    Model: scenes of contrast 0.25 whose power falls with the square of the frequency, nearly equal colours, square pixels, mean-to-noise ratio `snr`.
    mono: without a colour filter array. Neither the additional gain of a nonlinear reconstruction nor the cost of motion errors is included.
    """
    return float(10 * np.log10(_residual_variance(np.zeros((1, 2)), scale, snr, mono) / _residual_variance(offsets, scale, snr, mono)))


def _residual_variance(offsets: Doubles, scale: float, snr: float, mono: bool) -> float:
    """Return the residual error variance of luma relative to the squared mean: Wiener filter, summed over frequencies."""
    noise = 1 / snr**2
    total = 0.0
    for frequencies, power in _aliases(scale):
        count = len(frequencies)
        pixel_mtf = np.sinc(frequencies[:, 0]) * np.sinc(frequencies[:, 1])  # of a square pixel
        inverse_prior = np.concatenate([1 / power, 1 / (_COLOUR * power), 1 / (_COLOUR * power)])
        information = np.zeros((3 * count, 3 * count), np.complex128)
        for site, channel in zip(_SITES, _MONO if mono else _CHANNELS, strict=True):
            wave = np.exp(2j * np.pi * ((site + offsets) @ frequencies.T)) * pixel_mtf / 2  # a quarter of the samples each: |.|^2 / 4
            response = np.zeros((len(offsets), 3 * count), np.complex128)
            response[:, :count] = wave
            if channel != 1:
                part = slice(count, 2 * count) if channel == 0 else slice(2 * count, None)
                response[:, part] = wave
            information += response.conj().T @ response
        posterior = np.linalg.inv(information / (noise / 4) + np.diag(inverse_prior))
        total += float(np.real(np.diagonal(posterior)[:count]).sum())
    return total


@cache
def _aliases(scale: float) -> list[tuple[Doubles, Doubles]]:
    """Return sets of frequencies (n, 2), cycles per raw pixel, that alias onto each other in one frame's CFA plane, and the scene power at each.

    Up to the output's sampling limit; powers over all sets sum to the contrast squared.
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
