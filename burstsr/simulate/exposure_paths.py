"""Camera paths during exposure and readout of a frame: poses of every row at several moments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.simulate.motion import FrameMotion

Array = NDArray[np.float64]
TREMOR_HZ = (8.0, 12.0)  # physiological hand tremor (Wronski 2019, section 4)


def rigid_poses(motion: FrameMotion, rows: int) -> Array:
    """Return (rows, 1, 3) poses (dy, dx in raw pixels, angle in rad) of an instantaneous exposure, including its rolling shutter."""
    row = np.arange(rows) - (rows - 1) / 2
    slopes = (motion.dy_per_row, motion.dx_per_row, motion.rotation_per_row)
    middle = (motion.dy_px, motion.dx_px, motion.rotation_rad)
    return np.stack([m + s * row for m, s in zip(middle, slopes, strict=True)], axis=-1)[:, None, :]


def exposure_path(length_px: float, moments: int, rng: np.random.Generator, exposure_s: float = 1 / 20) -> Array:
    """Return (moments, 2) positions (dy, dx) in raw pixels during one exposure, mean 0, that span `length_px` from end to end of their longer diameter.

    Constant velocity, acceleration and tremor of 8 to 12 Hz, each with its own random direction: a curved path, not a line.
    """
    t = (np.arange(moments) + 0.5) / moments - 0.5
    path = np.outer(t, rng.normal(size=2)) + np.outer(t * t, rng.normal(size=2)) * 0.8
    for _ in range(2):
        phase = 2 * np.pi * (rng.uniform(*TREMOR_HZ) * exposure_s * t + rng.uniform())
        path = path + np.outer(np.cos(phase), rng.normal(size=2)) * 0.5
    path -= path.mean(axis=0)
    diameter = float(np.linalg.norm(path[:, None] - path[None], axis=-1).max())
    return np.asarray(path * (length_px / max(diameter, 1e-9)))


def wobble(rows: int, amplitude_px: float, cycles: float, rng: np.random.Generator) -> Array:
    """Return (rows, 2) shifts (dy, dx) in raw pixels along the rows of one frame, RMS `amplitude_px` over both axes: tremor with a rolling shutter.

    cycles: periods of the fastest of three waves over the frame's height.
    """
    row = np.arange(rows) / rows
    shift = np.zeros((rows, 2))
    for frequency in (0.35 * cycles, 0.7 * cycles, cycles):
        phase = 2 * np.pi * (frequency * row + rng.uniform())
        shift += np.cos(phase)[:, None] * rng.normal(size=2)
    shift -= shift.mean(axis=0)
    rms = float(np.sqrt(np.mean(np.sum(shift**2, axis=1))))
    return np.asarray(shift * (amplitude_px / max(rms, 1e-9)))


def second_moments(path: Array) -> tuple[float, float, float]:
    """Return (yy, yx, xx) in raw pixels squared of a path (K, 2) with equal times."""
    away = path - path.mean(axis=0)
    covariance = away.T @ away / len(path)
    return float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])
