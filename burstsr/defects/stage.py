"""Defective pixels: detected from the burst, and repaired before any other stage uses the frames."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.defects.neighbours import around, mirrored, nearest, planes_around
from burstsr.settings import DefectSettings

_FEWEST_FRAMES = 3  # fewer frames cannot distinguish a defect from the scene
_CERTAIN_FRAMES = 4  # frames in which a defect must be seen, and two of every three more
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)  # the eight nearest samples of the same colour, in that colour's plane
_SHARE_OF_NEIGHBOURS = 0.05  # the PSF spreads light: where neighbours of other colours rise by more than this share, beyond noise, it is a star
_SHARE_NOISE = 1.5  # sigma that the mean rise of a neighbourhood may reach by noise alone
_SHARE_ERRORS = 2.0  # standard errors of that share over the frames by which it may exceed the limit


def find_defects(burst: Burst, noise: Noise, settings: DefectSettings) -> NDArray[np.int64]:
    """Find hot and dead pixels, (n, 2) positions (y, x): they differ from the eight nearest samples of their colour by `threshold_sigma`.

    Half the threshold suffices in a single frame; the mean over frames must reach it in full. In bursts of seven frames and more, details of a moving scene
    may hide a defect in less than a third of them. Empty for bursts of fewer than three frames.
    """
    none = np.zeros((0, 2), np.int64)
    if not settings.repair or len(burst) < _FEWEST_FRAMES:
        return none
    may_hide = max(0, (len(burst) - _CERTAIN_FRAMES) // 3)
    first = [burst.frames[0], burst.frames[len(burst) // 2]] if may_hide else [burst.frames[0]]
    found = np.unique(np.concatenate([_candidates(frame, noise, settings.threshold_sigma / 2) for frame in first]), axis=0)
    total, hidden, sign = np.zeros(len(found)), np.zeros(len(found), int), np.zeros(len(found))
    shares, squares = np.zeros(len(found)), np.zeros(len(found))
    for frame in burst:
        if len(found) == 0:
            return none
        excess, share = _excess(frame, found, noise)
        sign = np.where(sign == 0, np.sign(excess), sign)
        excess *= sign
        seen = excess >= settings.threshold_sigma / 2
        total, hidden = total + excess, hidden + ~seen
        shares, squares = shares + np.where(seen, share, 0), squares + np.where(seen, share**2, 0)
        keep = (hidden <= may_hide) & (excess > -settings.threshold_sigma / 2)
        found, total, hidden, sign, shares, squares = (values[keep] for values in (found, total, hidden, sign, shares, squares))
    count = np.maximum(len(burst) - hidden, 1)
    shares, squares = shares / count, squares / count
    allowed = _SHARE_OF_NEIGHBOURS + _SHARE_NOISE / np.maximum(total / np.sqrt(len(burst)), 1e-9)
    if may_hide:  # a scene that moves lets neighbours rise and fall: a star's rise together with it in every frame
        allowed += _SHARE_ERRORS * np.sqrt(np.maximum(squares - shares**2, 0) / count)
    return np.asarray(found[(total / len(burst) >= settings.threshold_sigma) & (shares < allowed)])


def repair_pixels(frame: Frame, defects: NDArray[np.int64]) -> Frame:
    """Replace each defect by the median of its nearest valid samples of the same colour; return the same frame if there is none."""
    if len(defects) == 0:
        return frame
    mosaic = frame.mosaic.copy()
    bad = np.zeros(mosaic.shape, bool)
    bad[tuple(defects.T)] = True
    values, positions = nearest(frame, defects)
    sound = ~bad[tuple(positions)]
    masked = np.where(sound, values, np.nan)
    some = sound.any(axis=1)
    medians = np.nanmedian(masked[some], axis=1)
    mosaic[tuple(defects[some].T)] = np.rint(medians).astype(np.uint16)
    return frame.with_mosaic(mosaic)


def _candidates(frame: Frame, noise: Noise, sigmas: float) -> NDArray[np.int64]:
    cells = frame.info.cfa.has_bayer_cells
    period = (2, 2) if cells else frame.info.cfa.period
    found: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)] * (period[0] * period[1])
    mosaic = frame.mosaic

    def planes(first: int, last: int) -> None:
        for k in range(first, last):
            i, j = divmod(k, period[1])
            plane = np.ascontiguousarray(mosaic[i :: period[0], j :: period[1]])
            if cells:
                high, low, level = cv2.dilate(plane, _RING), cv2.erode(plane, _RING), cv2.medianBlur(plane, 3)
            else:
                ring = planes_around(frame, i, j)
                high, low, level = ring.max(axis=0), ring.min(axis=0), np.asarray(np.median(ring, axis=0))
            margin = sigmas * _deviation_dn(frame, noise, level, i, j)
            y, x = np.nonzero((plane > high + margin) | (plane + margin < low))
            found[k] = np.column_stack([period[0] * y + i, period[1] * x + j])

    over_rows(planes, len(found))
    return np.concatenate(found)


def _deviation_dn(frame: Frame, noise: Noise, level_dn: NDArray[np.generic], i: int, j: int) -> NDArray[np.float32]:
    """Return the noise sigma in DN at the median level around the samples of site (i, j): the model at level 0 would make every star a defect."""
    scale = float(frame.info.levels.scale()[i % 2, j % 2])
    channel, own = int(frame.info.cfa[i, j]), frame.noise(noise)
    level = (level_dn.astype(np.float32) - np.float32(frame.info.levels.black[i % 2, j % 2])) * np.float32(scale)
    np.maximum(level, 0, out=level)
    return np.asarray(np.sqrt(level * np.float32(own.alpha[channel]) + np.float32(own.beta[channel])) / np.float32(scale))


def _excess(frame: Frame, at: NDArray[np.int64], noise: Noise) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the excess of each position over its ring, in noise sigma (negative: below), and the share of it by which its four neighbours rise too."""
    value = frame.mosaic[tuple(at.T)].astype(np.float64)
    ring, _ = around(frame, at)
    middle = np.median(ring, axis=1)
    black = frame.info.levels.black[at[:, 0] % 2, at[:, 1] % 2]
    scale = frame.info.levels.scale()[at[:, 0] % 2, at[:, 1] % 2]
    channel = frame.info.cfa[at[:, 0], at[:, 1]]
    level = np.maximum((middle - black) * scale, 0)
    own = frame.noise(noise)
    deviation = np.sqrt(own.alpha[channel] * level + own.beta[channel]) / scale
    beyond = np.where(value > middle, np.maximum(value - ring.max(axis=1), 0), np.minimum(value - ring.min(axis=1), 0))
    rises = []
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        near = np.column_stack([mirrored(at[:, 0] + dy, frame.mosaic.shape[0], 1), mirrored(at[:, 1] + dx, frame.mosaic.shape[1], 1)])
        near_ring, _ = around(frame, near)
        rises.append(frame.mosaic[tuple(near.T)] - np.median(near_ring, axis=1))
    rise = np.mean(rises, axis=0)
    share = rise * np.sign(value - middle) / np.maximum(np.abs(value - middle), 1e-9)
    return beyond / np.maximum(deviation, 1e-9), share
