"""Gyroscope logs: rotation rates over time, and the resulting image motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from burstsr.core.errors import InputFileError, SettingsError
from burstsr.core.fields import check_range
from burstsr.core.tables import read_text
from burstsr.simulate import FrameMotion

Doubles = NDArray[np.float64]
_FEWEST = 16
_UNITS_S = (1.0, 1e-3, 1e-6, 1e-9)
_USUAL_STEP_S = 0.005
_FASTEST, _LATEST = 1e3, 1e20  # rad/s, and time stamps in any unit; gyroscopes end at 40 rad/s


@dataclass(frozen=True)
class GyroLog:
    """times_s: (n,) increasing. rates: (n, 3) rad/s about x (right), y (down) and z (to the scene), right-handed, minus the log's mean: gyroscopes drift."""

    times_s: Doubles
    rates: Doubles
    path: Path

    def angles(self) -> Doubles:
        """Return (n, 3) radians since the start of the log."""
        return np.asarray(cumulative_trapezoid(self.rates, self.times_s, axis=0, initial=0.0))


@dataclass(frozen=True)
class Plan:
    """Timing of a burst. focal_px: focal length in raw pixels. readout_s: from the first to the last of `rows` rows."""

    focal_px: float
    frames: int = 13
    interval_s: float = 1 / 30
    readout_s: float = 0.0
    rows: int = 3000

    def __post_init__(self) -> None:
        ranges = {"focal_px": (1, 1e6), "frames": (2, 1000), "interval_s": (1e-4, 1e4), "readout_s": (0, 10), "rows": (1, 100_000)}
        for name, (low, high) in ranges.items():
            check_range(name, getattr(self, name), low, high)


def read_gyro(path: Path, time_unit_s: float | None = None) -> GyroLog:
    """Read a text file of lines x, y, z in rad/s and a time stamp, separated by commas or blanks; other lines are ignored.

    time_unit_s: seconds per unit of the time stamps; None = detected among s, ms, us and ns by the sampling rate.
    Raises InputFileError for fewer than 16 such lines, or times that do not increase.
    """
    if time_unit_s is not None:
        check_range("time_unit_s", time_unit_s, 1e-12, 1e4)
    lines = read_text(path).splitlines()
    rows = []
    for line in lines:
        try:
            row = [float(part) for part in line.replace(",", " ").split()[:4]]
        except ValueError:
            continue
        if len(row) == 4 and np.isfinite(row).all():
            if max(map(abs, row[:3])) > _FASTEST or abs(row[3]) > _LATEST:
                raise InputFileError(f"{path}: {line.strip()[:80]}: rates must be within +-{_FASTEST:g} rad/s, time stamps within +-{_LATEST:g}")
            rows.append(row)
    if len(rows) < _FEWEST:
        raise InputFileError(f"{path}: {len(rows)} lines of x, y, z and time; at least {_FEWEST} are required")
    table = np.array(rows)
    times = table[:, 3] - table[0, 3]
    step = max(float(np.median(np.diff(times))), 1e-30)
    times *= time_unit_s or min(_UNITS_S, key=lambda unit: abs(np.log(step * unit / _USUAL_STEP_S)))
    if (np.diff(times) <= 0).any():
        raise InputFileError(f"{path}: time stamps do not increase at line {int(np.argmax(np.diff(times) <= 0)) + 2}")
    return GyroLog(times, table[:, :3] - table[:, :3].mean(axis=0), path)


def bursts_from_log(log: GyroLog, plan: Plan) -> list[list[FrameMotion]]:
    """Return the motions of all consecutive bursts in the log, relative to their first frames: for small rotations of the camera, dy = F about x,
    dx = -F about y, and the image turns by minus the rotation about z (right-handed axes: x right, y down, z to the scene).

    Raises SettingsError for a log shorter than one burst.
    """
    length = (plan.frames - 1) * plan.interval_s + max(plan.readout_s, plan.interval_s)
    count = int(log.times_s[-1] / length)
    if count < 1:
        raise SettingsError(f"{log.path}: {log.times_s[-1]:.2f} s; {plan.frames} frames every {plan.interval_s:g} s take {length:.2f} s")
    angles = log.angles()
    scale = np.array([plan.focal_px, -plan.focal_px, -1.0])
    bursts = []
    for k in range(count):
        at = k * length + plan.readout_s / 2 + np.arange(plan.frames) * plan.interval_s
        middle, first, last = (np.stack([np.interp(at + d * plan.readout_s, log.times_s, angles[:, c]) for c in range(3)], axis=1) for d in (0, -0.5, 0.5))
        place, gradient = (middle - middle[0]) * scale, (last - first) / plan.rows * scale
        bursts.append([FrameMotion(*map(float, p), *map(float, s - gradient[0])) for p, s in zip(place, gradient, strict=True)])
    return bursts
