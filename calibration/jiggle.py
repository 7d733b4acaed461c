"""Optimal offsets of a driven camera for N frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.align import expected_gain_db
from burstsr.core.fields import check_range
from burstsr.profiles.records import MotionRecord, now
from burstsr.simulate import FrameMotion, jiggle, motions_record

Doubles = NDArray[np.float64]
_SEARCHED = 12  # frames up to which offsets are optimised; more cover the period evenly enough as a lattice
_SNR = 30.0  # mean-to-noise ratio for which offsets are optimised; they hardly depend on it
_ROUNDS = 2


def jiggle_offsets(frames: int, scale: float, focal_px: float | None = None) -> MotionRecord:
    """Return the offsets of `frames` frames of a driven camera at `scale` with the highest gain (`burstsr.align.expected_gain_db`).

    motions: motion of the image on the sensor, within 1 raw pixel of the first frame. angles_rad: rotations of the camera that make them, about x (along the
    sensor's rows) and y (along its columns), at a focal length of focal_px raw pixels: atan(dy / F), -atan(dx / F). Axes are those of the upright image
    seen from behind the camera: x right, y down, z to the scene; rotations are right-handed (about x: y turns towards z, the camera looks up).
    """
    check_range("frames", frames, 2, 1000, whole=True)
    check_range("scale", scale, 1, 4)
    if focal_px is not None:
        check_range("focal_px", focal_px, 1, 1e6)
    lattice = np.array([(m.dy_px, m.dx_px) for m in jiggle(frames, scale)])
    places = lattice
    if frames <= _SEARCHED and scale > 1:
        found = _searched(frames, scale)
        places = max((lattice, found), key=lambda p: expected_gain_db(p, scale, _SNR))
    motions = tuple(motions_record([FrameMotion(float(dy), float(dx)) for dy, dx in places]))
    angles = None if focal_px is None else tuple((float(np.arctan(dy / focal_px)), float(-np.arctan(dx / focal_px))) for dy, dx in places)
    return MotionRecord("", 0.0, now(), "lattice", 0.0, motions, focal_px=focal_px, angles_rad=angles)


def _searched(frames: int, scale: float) -> Doubles:
    """Place frames one after the other at the best offsets, then move each while that helps; by half pixels first, then by quarters."""
    places = np.zeros((1, 2))
    coarse = [np.array(p) / 2 for p in np.ndindex(4, 4)]
    near = [np.array(p, np.float64) / 4 - 0.25 for p in np.ndindex(3, 3)]
    while len(places) < frames:
        places = max((np.vstack([places, p]) for p in coarse), key=lambda p: expected_gain_db(p, scale, _SNR))
    for step in range(_ROUNDS):
        for k in range(1, frames):
            moves = [places[k], *coarse] if step == 0 else [places[k] + d for d in near]
            places = max((_moved(places, k, place) for place in moves), key=lambda p: expected_gain_db(p, scale, _SNR))
    return np.asarray((places + 1) % 2 - 1)


def _moved(places: Doubles, k: int, place: Doubles) -> Doubles:
    moved = places.copy()
    moved[k] = place
    return moved
