"""Camera trajectories: hand-held, on a tripod, or with a driven stabiliser."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.fields import check_range
from burstsr.simulate.motion import FrameMotion, relative_to_first

FRAME_INTERVAL_S = 1 / 30
SWAY_TIME_S = 0.15  # correlation time of the slow part of a hand's motion
TREMOR_HZ = (8.0, 12.0)  # physiological hand tremor (Wronski 2019, section 4)
TREMOR_SHARE = 0.05  # share of the variance; our choice: tremor is fast and small, sway slow and large
_TREMOR_WAVES = 8


def handheld(
    frames: int, rng: np.random.Generator, deviation_px: float = 2.0, rotation_deg: float = 0.06, rolling_shutter: float = 0.0
) -> tuple[FrameMotion, ...]:
    """Simulate a hand-held camera: `frames` motions at 30 per second, relative to the first.

    Every axis (y, x, rotation) is an independent stationary Gaussian process: sway with autocorrelation exp(-|t| / 0.15 s) and 95 % of the
    variance, and tremor of 8 to 12 Hz (Wronski 2019, section 4) with 5 %.
    deviation_px: standard deviation of y and of x, raw pixels. Offsets from the first of 13 frames then have an RMS of 1.17 times that, 2.3 px
    per axis, which is 0.045 degrees at a focal length of 3000 px (4000 px across 67 degrees: a phone). The gyroscope log of a phone that was
    moved deliberately, an upper bound, has a median of 7.1 and 14.3 px in the same 0.4 s (5 % of its bursts stay below 1.3 and 4.7 px).
    rotation_deg: standard deviation of the rotation; against the first of 13 frames 1.17 times that, 0.07 degrees (the same log: median 0.075).
    rolling_shutter: readout time of a frame in frame intervals, 0 to 1, spread over a nominal 1000 rows; 0 = global shutter.
    """
    _check_frames(frames)
    times = np.arange(frames + 1, dtype=np.float64) * FRAME_INTERVAL_S
    y, x, turn = (_hand_axis(times, rng) for _ in range(3))
    y, x, turn = y * deviation_px, x * deviation_px, turn * np.deg2rad(rotation_deg)
    row = rolling_shutter / 1000  # frame intervals per row
    track = [
        FrameMotion(
            *(float(axis[k]) for axis in (y, x, turn)),
            *(float(axis[k + 1] - axis[k]) * row for axis in (y, x, turn)),
        )
        for k in range(frames)
    ]
    return relative_to_first(track)


def tripod(frames: int, rng: np.random.Generator, residue_px: float = 0.0) -> tuple[FrameMotion, ...]:
    """Simulate a tripod: no motion, or independent Gaussian offsets of `residue_px` raw pixels per axis."""
    _check_frames(frames)
    track = [FrameMotion(*(float(v) for v in rng.normal(0.0, 1.0, 2) * residue_px)) for _ in range(frames)]
    return relative_to_first(track)


def pixel_shift(frames: int) -> tuple[FrameMotion, ...]:
    """Return the offsets of a camera that shifts its sensor: 4 frames around a square of a whole pixel; 16: around four, half a pixel apart."""
    square = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
    starts = [(0.0, 0.0)] if frames == 4 else [(y / 2, x / 2) for y, x in square]
    return tuple(FrameMotion(y + dy, x + dx) for y, x in starts for dy, dx in square)


def jiggle(frames: int, scale: float) -> tuple[FrameMotion, ...]:
    """Return sub-pixel offsets that cover the CFA's phases evenly, as by a driven stabiliser or mount.

    Among all lattices with `frames` points on the torus of 2 x 2 raw pixels (the CFA's period), listed by their Hermite normal forms, the one
    with the smallest largest hole. For scale > 1 the hole on the torus of one pixel counts too, so that luma gets its phases even where few
    frames sample colours sparsely; at scale 1 holes at integer pixels count first, so that 4 frames are the pixel shift of cameras. Within +-1 px.
    """
    _check_frames(frames)
    best, best_hole = np.zeros((1, 2)), (np.inf, np.inf)
    for rows in (d for d in range(1, frames + 1) if frames % d == 0):
        columns = frames // rows
        for shear in range(rows):
            i, j = np.divmod(np.arange(frames), columns)
            points = 2.0 * np.stack([i / rows, (j / columns + shear * i / (rows * columns)) % 1.0], axis=-1)
            fine = _widest_hole(points, 2.0, 24)
            hole = (fine + _widest_hole(points, 1.0, 24), fine) if scale > 1 else (_widest_hole(points, 2.0, 2), fine)
            if hole < best_hole:
                best, best_hole = points, hole
    centred = (best + 1.0) % 2.0 - 1.0
    return relative_to_first([FrameMotion(float(dy), float(dx)) for dy, dx in centred])


def _check_frames(frames: int) -> None:
    check_range("frames", frames, 1, 1_000_000, whole=True)


def _hand_axis(times: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the process of `handheld`, with unit variance, at equally spaced `times`."""
    keep = np.exp(-(times[1] - times[0]) / SWAY_TIME_S)
    sway = rng.normal(size=len(times))
    for k in range(1, len(times)):
        sway[k] = keep * sway[k - 1] + np.sqrt(1 - keep**2) * sway[k]
    hertz = rng.uniform(*TREMOR_HZ, _TREMOR_WAVES)
    cosines, sines = rng.normal(size=(2, _TREMOR_WAVES)) / np.sqrt(_TREMOR_WAVES)
    subpixel_phases = 2 * np.pi * hertz * times[:, None]
    tremor = np.cos(subpixel_phases) @ cosines + np.sin(subpixel_phases) @ sines
    return np.asarray(np.sqrt(1 - TREMOR_SHARE) * sway + np.sqrt(TREMOR_SHARE) * tremor)


def _widest_hole(points: NDArray[np.float64], period: float, grid: int) -> float:
    """Return the largest distance, on the torus of `period`, of any of grid x grid positions to the nearest of `points` (n, 2), rounded to make ties exact."""
    places = np.arange(grid) * (period / grid)
    away = np.abs((points[:, :, None] - places + period / 2) % period - period / 2)  # (n, 2, grid)
    distance = away[:, 0, :, None] ** 2 + away[:, 1, None, :] ** 2
    return round(float(np.sqrt(distance.min(axis=0).max())), 9)
