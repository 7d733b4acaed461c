"""Defective pixels, and row and column offsets, from darks or from a burst."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.signal import medfilt

from burstsr.core.burst import Burst, Frame
from burstsr.core.errors import BurstError
from burstsr.core.fields import check_range
from burstsr.core.sensor import samples
from burstsr.defects import find_defects
from burstsr.noise import estimate_noise
from burstsr.profiles.records import DefectRecord, now
from burstsr.settings import DefectSettings
from calibration.checks import check_burst_light, check_darks
from calibration.masters import median_frame
from calibration.noise import make_aligner

Doubles = NDArray[np.float64]
_FEWEST = 3  # frames; fewer cannot distinguish a defect from noise
_DARK = 0.01  # median sample below which, and not far above its noise, a frame is dark
_MEDIAN_ERROR = 1.25  # standard error of a median over that of a mean, sqrt(pi / 2)
_CERTAIN = 3.0  # factor by which differences of rows or columns must exceed noise
_SMOOTH = 9  # lines
_RIDGE = 0.02  # high-pass of offsets, whose slow part a burst cannot separate from the scene


def measure_defects(burst: Burst, method: str = "auto", sigma: float = 8.0) -> DefectRecord:
    """Measure defects of the camera from darks (frames without light) or a hand-held burst of any scene.

    sigma: detection threshold in noise sigma. method: "darks", "burst", or "auto": by the frames' level. Darks also show warm pixels, from half of
    sigma, and complete offsets of rows and columns; a burst shows offsets from line to line only. Raises BurstError for fewer than three frames, or for
    darks with light.
    """
    if len(burst) < _FEWEST:
        raise BurstError(f"burst {burst.name!r} has {len(burst)} frames: at least {_FEWEST} are required to distinguish defects from noise")
    check_range("sigma", sigma, 3, 100)
    dark = _no_light(burst.frames[0]) if method == "auto" else method == "darks"
    if dark:
        check_darks(burst.frames)
        return _of_darks(burst, sigma)
    return _of_burst(burst, sigma)


def _no_light(frame: Frame) -> bool:
    x = samples(frame.mosaic, frame.info.levels)
    return float(np.median(x)) < _DARK and float(np.quantile(x, 0.99) - np.median(x)) < 6 * float(np.median(np.abs(x - np.median(x)))) + 1e-6


def _of_darks(burst: Burst, sigma: float) -> DefectRecord:
    typical: Doubles = median_frame(burst.frames).astype(np.float64)
    difference = burst.frames[0].mosaic.astype(np.float64) - burst.frames[1].mosaic
    read = max(1.4826 * float(np.median(np.abs(difference - np.median(difference)))) / np.sqrt(2), 0.3)
    level = np.empty_like(typical)
    for i, j in np.ndindex(2, 2):
        level[i::2, j::2] = np.median(typical[i::2, j::2])
    away = typical - level
    error = _MEDIAN_ERROR * read / np.sqrt(len(burst))
    rows = _uneven(np.median(away, axis=1), max(1.25 * error / np.sqrt(away.shape[1]), _chance(burst, level, 1)))
    away -= 0 if rows is None else rows[:, None]
    columns = _uneven(np.median(away, axis=0), max(1.25 * error / np.sqrt(away.shape[0]), _chance(burst, level, 0)))
    away -= 0 if columns is None else columns
    for i, j in np.ndindex(2, 2):  # a bright region, amplifier glow, is no defect
        plane = np.ascontiguousarray(away[i::2, j::2], np.float32)
        away[i::2, j::2] -= cv2.medianBlur(plane, 5)
    limit = sigma / 2 * read
    return _record(burst, "darks", np.argwhere(away >= limit), np.argwhere(away <= -limit), rows, columns)


def _of_burst(burst: Burst, sigma: float) -> DefectRecord:
    check_burst_light(burst)
    noise, _ = estimate_noise(burst, make_aligner)
    found = find_defects(burst, noise, DefectSettings(threshold_sigma=sigma))
    mosaic = burst.frames[0].mosaic.astype(np.float64)
    blurred = np.empty_like(mosaic)
    for i, j in np.ndindex(2, 2):
        blurred[i::2, j::2] = cv2.medianBlur(np.ascontiguousarray(mosaic[i::2, j::2], np.float32), 3)
    bright = mosaic[tuple(found.T)] > blurred[tuple(found.T)]
    rows, columns = (_line_to_line(burst, axis) if burst.info.cfa.has_bayer_cells else None for axis in (0, 1))
    return _record(burst, "burst", found[bright], found[~bright], rows, columns)


def _uneven(offsets: Doubles, error: float) -> Doubles | None:
    """Return offsets, without their mean, if they are significant; else None."""
    offsets = offsets - offsets.mean()
    return offsets if float(offsets.std()) > _CERTAIN * error else None


def _chance(burst: Burst, level: Doubles, axis: int) -> float:
    """Return the standard error of the lines' offsets, DN, from how they change between frames: rows' (axis 1) or columns' (0) temporal noise."""
    lines = np.array([np.median(frame.mosaic - level, axis=axis) for frame in burst])
    lines -= lines.mean(axis=1, keepdims=True)
    return _MEDIAN_ERROR * float(np.sqrt(lines.var(axis=0, ddof=1).mean() / len(burst)))


def _line_to_line(burst: Burst, axis: int) -> Doubles | None:
    """Return offsets of rows (axis 0) or columns (1) relative to the next line of their colour, DN: the median over the line and all frames.

    Every second line must have the same colours. The scene moves between frames and varies along a line; what is constant belongs to the sensor.
    Slow variations cannot be measured, and are 0.
    """
    steps = []
    for frame in burst:
        m = frame.mosaic.astype(np.float32) if axis == 0 else frame.mosaic.astype(np.float32).T
        steps.append(np.median(m[2:-2] - (m[:-4] + m[4:]) / 2, axis=1))
    step: Doubles = np.asarray(np.mean(steps, axis=0, dtype=np.float64))
    chance = float(np.std(np.array(steps) - step)) / np.sqrt(len(burst) - 1)
    rough = step - medfilt(step, _SMOOTH)  # the scene's own curvature changes slowly
    if float(np.median(np.abs(rough))) * 1.4826 <= _CERTAIN * chance:
        return None
    length = len(step) + 4
    offsets = np.zeros(length)
    for parity in (0, 1):  # lines of one parity are a chain of their own: minimise |A o - step|^2 + ridge |o|^2
        d = step[parity::2]
        count = len(range(parity, length, 2))
        a = np.zeros((count - 2, count))
        k = np.arange(count - 2)
        a[k, k], a[k, k + 1], a[k, k + 2] = -0.5, 1.0, -0.5
        normal = a.T @ a + _RIDGE * np.eye(count)
        banded = np.stack([np.pad(np.diagonal(normal, n), (0, n)) for n in range(3)])
        offsets[parity::2] = solveh_banded(banded, a.T @ d[: count - 2], lower=True)
    return offsets


def _record(burst: Burst, method: str, hot: NDArray[np.int64], dead: NDArray[np.int64], rows: Doubles | None, columns: Doubles | None) -> DefectRecord:
    info = burst.info
    return DefectRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method=method,
        shape=info.shape,
        hot=_places(hot),
        dead=_places(dead),
        exposure_s=info.exposure_s or None,
        row_offset_dn=None if rows is None else _rounded(rows),
        column_offset_dn=None if columns is None else _rounded(columns),
    )


def _places(found: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    return tuple((int(y), int(x)) for y, x in found)


def _rounded(offsets: Sequence[float] | Doubles) -> tuple[float, ...]:
    return tuple(round(float(v), 3) for v in offsets)
