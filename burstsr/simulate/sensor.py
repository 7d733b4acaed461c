"""The sensor, scene to DN: pixel area integration, colour filter array, noise, saturation, quantisation.

Nothing here is shared with alignment or merge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Levels
from burstsr.core.cfa import Cfa
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.simulate.motion import FrameMotion, reference_at

_STRIP_ROWS = 64


def margin_for(motions: tuple[FrameMotion, ...], shape: tuple[int, int], scale: float) -> int:
    """Return the pixels of scene needed beyond the borders of the truth, for frames of `shape` (H, W) under `motions`."""
    height, width = shape
    corners = np.array([[y, x] for y in (0, height - 1) for x in (0, width - 1)], np.float64)
    beyond = max(float(np.abs(reference_at(motion, corners, shape) - corners).max()) for motion in motions)
    return int(np.ceil((beyond + 2) * scale)) + 2


def expose(planes: NDArray[np.float32], margin: int, scale: float, motion: FrameMotion, shape: tuple[int, int], cfa: Cfa) -> NDArray[np.float32]:
    """Return (H, W) float32 noise-free samples, 1.0 = saturation, not clipped, of a frame of `shape` under `motion`.

    planes: (3, h + 2 margin, w + 2 margin) scene of square pixels; raw position p is at its edge coordinate margin + (p + 0.5) scale.
    Every sample is the exact mean of that surface over a square of one raw pixel. The square's centre moves with the frame, rotation and rolling
    shutter included; its sides stay parallel to the scene's, which at 0.3 degrees displaces its corners by 0.003 px and changes no first moment.
    """
    mosaic = np.empty(shape, np.float32)
    py, px = cfa.period
    strip = _STRIP_ROWS // py * py

    def rows(first: int, last: int) -> None:
        """Compute rows first .. last; a period of the pattern begins at the first."""
        for top in range(first, last, strip):
            bottom = min(top + strip, last)
            for site_y, site_x in cfa.sites():
                y, x = np.arange(top + site_y, bottom, py), np.arange(site_x, shape[1], px)
                points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
                start = reference_at(motion, points, shape) * scale + margin  # upper left corner of the footprint
                mosaic[top + site_y : bottom : py, site_x::px] = _box_mean(planes[cfa.channel(site_y, site_x)], start[..., 0], start[..., 1], scale)

    over_rows(rows, shape[0], multiple=py)
    return mosaic


def _box_mean(plane: NDArray[np.float32], top: NDArray[np.float64], left: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Mean of a surface of unit squares over squares of `side` whose upper left corners are at edge coordinates `top`, `left`: exact area weights."""
    first_row, first_column = np.floor(top).astype(np.intp), np.floor(left).astype(np.intp)
    place = first_row * plane.shape[1] + first_column
    y, x = top - first_row, left - first_column
    taps = range(int(np.ceil(side)) + 1)
    across = [np.maximum(np.minimum(x + side, i + 1) - np.maximum(x, i), 0) for i in taps]
    flat, total = plane.ravel(), np.zeros(top.shape)
    for j in taps:
        line = sum(weight * flat[j * plane.shape[1] + i :].take(place) for i, weight in zip(taps, across, strict=True))
        total += line * np.maximum(np.minimum(y + side, j + 1) - np.maximum(y, j), 0)
    return np.asarray(total / side**2)


def with_noise(clean: NDArray[np.float32], noise: Noise, cfa: Cfa, row_noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (H, W) samples with noise: alpha Poisson(max(clean, 0) / alpha) + N(0, beta) per site, so that mean and variance are those of `noise`.

    row_noise: standard deviation of an offset common to a row, normalised units.
    """
    noisy = np.empty(clean.shape)
    py, px = cfa.period
    for site_y, site_x in cfa.sites():
        channel = cfa.channel(site_y, site_x)
        alpha, beta = float(noise.alpha[channel]), float(noise.beta[channel])
        samples: NDArray[np.floating] = np.maximum(clean[site_y::py, site_x::px], 0).astype(np.float64)
        if alpha > 0:
            samples = alpha * rng.poisson(samples / alpha)
        if beta > 0:
            samples = samples + np.sqrt(beta) * rng.standard_normal(samples.shape)
        noisy[site_y::py, site_x::px] = samples
    if row_noise > 0:
        noisy += row_noise * rng.standard_normal((clean.shape[0], 1))
    return noisy


def quantised(samples: NDArray[np.floating], levels: Levels) -> NDArray[np.uint16]:
    """Return (H, W) uint16 DN of samples: clipped at 0 and at 1.0 = white, rounded."""
    dn = np.empty(samples.shape, np.uint16)
    py, px = levels.black.shape
    for site_y, site_x in np.ndindex(py, px):
        black = levels.black[site_y, site_x]
        site = np.minimum(samples[site_y::py, site_x::px], 1.0) * (levels.white - black) + black
        dn[site_y::py, site_x::px] = np.clip(np.rint(site), 0, levels.white)
    return dn
