"""Hand motion between frames: from bursts, or from a gyroscope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from burstsr.align import rigid_motion, select_reference
from burstsr.core.burst import Burst
from burstsr.core.errors import BurstError
from burstsr.core.flow import Flow
from burstsr.noise import estimate_noise
from burstsr.profiles.records import MotionRecord, now
from burstsr.simulate import FrameMotion, motions_record
from burstsr.simulate.motion import relative_to_first
from calibration.checks import check_burst_light
from calibration.gyro import GyroLog, Plan, bursts_from_log
from calibration.noise import make_aligner

Doubles = NDArray[np.float64]
_TREMOR_HZ = (4.0, 14.0)
_DEFAULT_INTERVAL_S = 1 / 30
_LEAST_READOUT = 0.01  # of a frame interval
_SEEN = 3.0  # standard errors above which a readout time is significant


def motion_from_bursts(bursts: Sequence[Burst], interval_s: float | None = None) -> MotionRecord:
    """Measure the statistics of the bursts' motion, and the motions of the most typical one. interval_s: overrides the files' times.

    The readout time of a rolling shutter is the ratio of the image's shear over the rows to its speed. Raises BurstError for bursts of one frame only.
    """
    several = [burst for burst in bursts if len(burst) > 1]
    if not several:
        raise BurstError(f"no burst of two or more frames: {', '.join(f'{burst.name} has {len(burst)}' for burst in bursts)}")
    tracks = [_track(burst) for burst in several]
    seconds = interval_s or _interval(several[0])
    readouts = [found for found in (_readout(track, burst.info.shape[0]) for track, burst in zip(tracks, several, strict=True)) if found is not None]
    readout = _combined(readouts)
    info = several[0].info
    record = _record(tracks, seconds, "flows", None if readout is None else (readout[0] * seconds, readout[1] * seconds))
    return replace(record, camera=info.camera, iso=info.iso)


def motion_from_gyro(log: GyroLog, plan: Plan) -> MotionRecord:
    """Measure the statistics of the motion in a log, in bursts as planned, and the motions of the most typical one."""
    tracks = bursts_from_log(log, plan)
    hertz = 1 / float(np.median(np.diff(log.times_s)))
    frequency, power = welch(log.rates[:, :2], hertz, nperseg=min(len(log.times_s), int(4 * hertz)), axis=0)
    tremor = (frequency >= _TREMOR_HZ[0]) & (frequency <= _TREMOR_HZ[1])
    peak = float(frequency[tremor][np.argmax(power[tremor].sum(axis=1))]) if tremor.any() else None
    readout = (plan.readout_s, 0.0) if plan.readout_s else None
    return replace(_record(tracks, plan.interval_s, "gyroscope", readout), tremor_hz=peak, focal_px=plan.focal_px)


def _track(burst: Burst) -> list[FrameMotion]:
    """Return the motions of a burst's frames relative to the first, including shear of rows."""
    check_burst_light(burst)
    noise, _ = estimate_noise(burst, make_aligner)
    index = select_reference(burst, noise)
    estimate_flow = make_aligner(burst.frames[index], noise)
    found = [FrameMotion() if i == index else _rolling_motion(estimate_flow(frame)) for i, frame in enumerate(burst)]
    return list(relative_to_first(found))


def _rolling_motion(flow: Flow) -> FrameMotion:
    """Return the global motion of a frame: translation, rotation, and the shift of rows beyond rotation."""
    dy, dx, _ = rigid_motion(flow)
    tiles = flow.tiles.astype(np.float64)
    y, x = np.meshgrid(*((np.arange(n) - (n - 1) / 2) * flow.tile_px for n in tiles.shape[:2]), indexing="ij")
    rest = tiles - (dy, dx)
    keep = np.hypot(rest[..., 0], rest[..., 1]) <= 4 * np.median(np.hypot(rest[..., 0], rest[..., 1])) + 0.05
    design = np.stack([np.ones(keep.sum()), y[keep], x[keep]], axis=1)
    _, down, right = np.linalg.lstsq(design, rest[keep], rcond=None)[0]
    rotation = float(right[0])  # columns distinguish rotation from a rolling shutter; rows alone do not
    return FrameMotion(dy, dx, rotation, float(down[0] - right[1]), float(down[1] + rotation))


def _readout(track: Sequence[FrameMotion], rows: int) -> tuple[float, float] | None:
    """Read-out time in frame intervals and its standard error: what part of the way to the next frame the last row has gone before the first; None without
    motion.
    """
    if len(track) < 4:
        return None
    speed = np.diff(np.array([(m.dy_px, m.dx_px) for m in track]), axis=0)
    shear = np.array([(m.dy_per_row, m.dx_per_row) for m in track])[:-1] * rows
    v, s = ((a - a.mean(axis=0)).ravel() for a in (speed, shear))  # the reference's own shear is contained in all
    power = float(v @ v)
    if power < 1e-9:
        return None
    value = float(v @ s) / power
    return value, float(np.sqrt(np.square(s - value * v).sum() / max(len(v) - 3, 1) / power))


def _combined(found: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Return the weighted mean if it is significant."""
    if not found:
        return None
    values, errors = (np.array(v) for v in zip(*found, strict=True))
    weight = 1 / np.maximum(errors, 1e-6) ** 2
    mean, error = float((values * weight).sum() / weight.sum()), float(1 / np.sqrt(weight.sum()))
    return (mean, error) if mean > max(_SEEN * error, _LEAST_READOUT) else None


def _interval(burst: Burst) -> float:
    times = [frame.info.time for frame in burst if frame.info.time is not None]
    steps = [(b - a).total_seconds() for a, b in zip(times, times[1:], strict=False)]
    return float(np.median(steps)) if steps and np.median(steps) > 0 else _DEFAULT_INTERVAL_S


def _record(tracks: Sequence[Sequence[FrameMotion]], interval_s: float, method: str, readout: tuple[float, float] | None) -> MotionRecord:
    """Return the statistics of tracks, without a camera. readout: seconds, and its standard error."""
    places = [np.array([(m.dy_px, m.dx_px, m.rotation_rad) for m in track]) for track in tracks]
    squares = np.array([p.var(axis=0, ddof=1) for p in places])
    deviation = np.sqrt(squares.mean(axis=0))
    speed = np.sqrt(np.mean(np.concatenate([np.diff(p[:, :2], axis=0) for p in places]) ** 2, axis=0))
    extent = np.sqrt(squares[:, :2].sum(axis=1))
    typical = tracks[int(np.argmin(np.abs(extent - np.median(extent))))]
    return MotionRecord(
        camera="",
        iso=0.0,
        date=now(),
        method=method,
        frame_interval_s=interval_s,
        motions=tuple(motions_record(typical)),
        deviation_px=(float(deviation[0]), float(deviation[1])),
        rotation_deviation_rad=float(deviation[2]),
        speed_px=(float(speed[0]), float(speed[1])),
        correlation_time_s=_correlation_time(places, interval_s),
        bursts=len(tracks),
        readout_s=readout and readout[0],
        readout_error_s=readout and readout[1],
    )


def _correlation_time(places: Sequence[Doubles], interval_s: float) -> float | None:
    """Return the lag at which the pooled autocorrelation of y and x falls to 1/e; None for tracks that are too short or static."""
    length = min(len(p) for p in places)
    if length < 5:
        return None
    centred = [p[:, :2] - p[:, :2].mean(axis=0) for p in places]
    power = np.mean([np.square(c).mean() for c in centred])
    if power <= 0:
        return None
    kept = [float(np.mean([(c[: len(c) - lag] * c[lag:]).mean() for c in centred]) / power) for lag in range(length - 1)]
    below = next((i for i, value in enumerate(kept) if value < np.exp(-1)), None)
    if below is None:
        return None
    part = (kept[below - 1] - np.exp(-1)) / max(kept[below - 1] - kept[below], 1e-9)
    return float((below - 1 + part) * interval_s)
