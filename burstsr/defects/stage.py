"""Defective pixels: detected from the burst, and repaired before any other stage uses the frames."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Burst, Frame
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.settings import DefectSettings

_FEWEST_FRAMES = 3  # fewer frames cannot distinguish a defect from the scene
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)  # the eight nearest samples of the same colour, in that colour's plane
_SHARE_OF_NEIGHBOURS = 0.05  # the PSF spreads light: where neighbours of other colours rise by more than this share, beyond noise, it is a star
_SHARE_NOISE = 1.5  # sigma that the mean rise of a neighbourhood may reach by noise alone


def find_defects(burst: Burst, noise: Noise, settings: DefectSettings) -> NDArray[np.int64]:
    """Find hot and dead pixels, (n, 2) positions (y, x): they differ from all eight nearest samples of their colour in every frame by `threshold_sigma`.

    Half the threshold suffices in a single frame; the mean over frames must reach it in full. Empty for bursts of fewer than three frames.
    """
    burst.info.cfa.require_2x2("defective pixels")
    none = np.zeros((0, 2), np.int64)
    if not settings.repair or len(burst) < _FEWEST_FRAMES:
        return none
    found = _candidates(burst.frames[0], noise, settings.threshold_sigma / 2)
    total, shares, sign = np.zeros(len(found)), np.zeros(len(found)), np.zeros(len(found))
    for frame in burst:
        if len(found) == 0:
            return none
        excess, spread = _excess(frame, found, noise)
        sign = np.where(sign == 0, np.sign(excess), sign)
        total, shares = total + np.abs(excess), shares + spread
        keep = (np.sign(excess) == sign) & (np.abs(excess) >= settings.threshold_sigma / 2)
        found, total, shares, sign = found[keep], total[keep], shares[keep], sign[keep]
    allowed = _SHARE_OF_NEIGHBOURS + _SHARE_NOISE / np.maximum(total / np.sqrt(len(burst)), 1e-9)
    return np.asarray(found[(total / len(burst) >= settings.threshold_sigma) & (shares / len(burst) < allowed)])


def repair_pixels(frame: Frame, defects: NDArray[np.int64]) -> Frame:
    """Replace each defect by the median of its nearest valid samples of the same colour; return the same frame if there is none."""
    if len(defects) == 0:
        return frame
    frame.info.cfa.require_2x2("defective pixels")
    mosaic = frame.mosaic.copy()
    bad = np.zeros(mosaic.shape, bool)
    bad[tuple(defects.T)] = True
    values, positions = _around(frame.mosaic, defects)
    sound = ~bad[tuple(positions)]
    masked = np.where(sound, values, np.nan)
    some = sound.any(axis=1)
    medians = np.nanmedian(masked[some], axis=1)
    mosaic[tuple(defects[some].T)] = np.rint(medians).astype(np.uint16)
    return frame.with_mosaic(mosaic)


def _candidates(frame: Frame, noise: Noise, sigmas: float) -> NDArray[np.int64]:
    found: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)] * 4
    mosaic = frame.mosaic

    def planes(first: int, last: int) -> None:
        for k in range(first, last):
            i, j = divmod(k, 2)
            plane = np.ascontiguousarray(mosaic[i::2, j::2])
            high, low = cv2.dilate(plane, _RING), cv2.erode(plane, _RING)
            margin = sigmas * _deviation_dn(frame, noise, plane, i, j)
            y, x = np.nonzero((plane > high + margin) | (plane + margin < low))
            found[k] = np.column_stack([2 * y + i, 2 * x + j])

    over_rows(planes, 4)
    return np.concatenate(found)


def _deviation_dn(frame: Frame, noise: Noise, level_dn: NDArray[np.uint16], i: int, j: int) -> NDArray[np.float32]:
    """Return the noise sigma in DN, at the lower of two level estimates: the model at level 0 would make every star a defect."""
    scale = float(frame.info.levels.scale()[i, j])
    channel = int(frame.info.cfa[i, j])
    level = (cv2.medianBlur(level_dn, 3).astype(np.float32) - np.float32(frame.info.levels.black[i, j])) * np.float32(scale)
    np.maximum(level, 0, out=level)
    return np.asarray(np.sqrt(level * np.float32(noise.alpha[channel]) + np.float32(noise.beta[channel])) / np.float32(scale))


def _around(mosaic: NDArray[np.uint16], at: NDArray[np.int64], step: int = 2) -> tuple[NDArray[np.float64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return values (n, 8) and positions of the ring of samples `step` pixels around each position, mirrored at borders."""
    offsets = np.array([(dy, dx) for dy in (-step, 0, step) for dx in (-step, 0, step) if dy or dx])
    y, x = (_inside(at[:, k, None] + offsets[None, :, k], mosaic.shape[k], step) for k in (0, 1))
    return mosaic[y, x].astype(np.float64), (y, x)


def _inside(index: NDArray[np.int64], length: int, step: int) -> NDArray[np.int64]:
    """Mirror indices beyond a border to the sample on the other side of the position, `step` away from it."""
    index = np.where(index < 0, index + 2 * step, index)
    return np.where(index >= length, index - 2 * step, index)


def _excess(frame: Frame, at: NDArray[np.int64], noise: Noise) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the excess of each position over its ring, in noise sigma (negative: below), and the share of it by which its four neighbours rise too."""
    value = frame.mosaic[tuple(at.T)].astype(np.float64)
    ring, _ = _around(frame.mosaic, at)
    middle = np.median(ring, axis=1)
    black = frame.info.levels.black[at[:, 0] % 2, at[:, 1] % 2]
    scale = frame.info.levels.scale()[at[:, 0] % 2, at[:, 1] % 2]
    channel = frame.info.cfa[at[:, 0], at[:, 1]]
    level = np.maximum((middle - black) * scale, 0)
    deviation = np.sqrt(noise.alpha[channel] * level + noise.beta[channel]) / scale
    beyond = np.where(value > middle, np.maximum(value - ring.max(axis=1), 0), np.minimum(value - ring.min(axis=1), 0))
    rises = []
    for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        near = np.column_stack([_inside(at[:, 0] + dy, frame.mosaic.shape[0], 1), _inside(at[:, 1] + dx, frame.mosaic.shape[1], 1)])
        around, _ = _around(frame.mosaic, near)
        rises.append(frame.mosaic[tuple(near.T)] - np.median(around, axis=1))
    rise = np.mean(rises, axis=0)
    share = rise * np.sign(value - middle) / np.maximum(np.abs(value - middle), 1e-9)
    return beyond / np.maximum(deviation, 1e-9), share
