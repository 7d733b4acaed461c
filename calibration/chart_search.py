"""The chart of 24 patches in a frame: OpenCV's detector (`cv2.mcc`) proposes charts, and those whose patches have the chart's colours are kept.

The detector looks for quadrilaterals in a grid, in an 8-bit image: the frame is binned, white-balanced, and rendered at several exposures, with and without a
border, so that charts that fill the frame are found, too. It also proposes other grids, and the back of a chart: a linear fit of the patches to the chart's
colours rejects them. It locates corners to within 0.3 of the distance between patches; then they are moved to where the patches are the most uniform.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from burstsr.core.burst import Frame
from burstsr.core.errors import SettingsError
from burstsr.core.sensor import samples
from burstsr.core.srgb import encode_srgb
from calibration.chart_reference import COLUMNS, D65, PATCH_XYZ, ROWS, xyz_to_lab

Doubles = NDArray[np.float64]
Corner = tuple[float, float]
STATE = "give its corners: --corners X,Y,..."
_SIDE_PX = 1000  # of the longer side of the image that is searched, about
_BORDER = 0.15  # of the longer side, on all sides
_WHITES = (99.5, 90.0, 60.0)  # percentiles of brightness that are rendered as white
_CHARTS = 4  # sought in an image
_WORST_DIFFERENCE = 14.0  # mean colour difference (CIE 1976) after a linear fit
_HALF = 0.2  # half side of the part of a patch that is averaged, in distances between patches
_PLACED_HALF, _PLACED_STEPS = 0.36, 9  # half side of the part of a patch that is to be uniform, distances of patches, and points along it
_PLACED_BLURS = (0.12, 0.06)  # standard deviations, in distances of patches, of the image that corners are moved in
_GRID = np.array([(x, y) for y in range(ROWS) for x in range(COLUMNS)], np.float64)
_CORNERS = (0, COLUMNS - 1, ROWS * COLUMNS - 1, (ROWS - 1) * COLUMNS)  # patches: dark skin, bluish green, black, white


class _Found(NamedTuple):
    difference: float
    centres: Doubles  # (24, 2), x and y in the binned image


def find_chart(frame: Frame) -> tuple[Corner, Corner, Corner, Corner]:
    """Return (x, y) of the centres of the patches in the chart's corners, raw pixels of the sensor: dark skin, bluish green, black, white.

    Raises SettingsError, which names --corners, where there is no chart or more than one, and where OpenCV has no detector (before version 5).
    """
    path = frame.info.path
    if not hasattr(getattr(cv2, "mcc", None), "CCheckerDetector") or not hasattr(cv2.mcc.CCheckerDetector, "setColorChartType"):
        raise SettingsError(f"{path}: finding the chart requires opencv-python 5 or later, not {cv2.__version__}; {STATE}")
    image, size = binned(frame)
    found: list[_Found] = []
    for centres in _proposed(image):
        for order in (slice(None), slice(None, None, -1)):
            difference = _difference(image, centres[order])
            if difference < _WORST_DIFFERENCE:
                found.append(_Found(difference, centres[order]))
    charts = _separate(found)
    if not charts:
        raise SettingsError(f"{path}: no chart of 24 patches found; if there is one, {STATE}")
    if len(charts) > 1:
        raise SettingsError(f"{path}: {len(charts)} charts of 24 patches found; choose one, and {STATE}")
    raw = (_placed(image, charts[0].centres)[list(_CORNERS)] + 0.5) * size - 0.5
    a, b, c, d = ((round(float(x), 1), round(float(y), 1)) for x, y in raw)
    return a, b, c, d


def binned(frame: Frame) -> tuple[Doubles, int]:
    """Return the frame as a (h, w, 3) linear camera RGB image of about 1000 pixels, and the side of its pixels in raw pixels."""
    height, width = frame.info.shape
    size = max(*frame.info.cfa.period, max(height, width) // _SIDE_PX)
    height, width = height - height % size, width - width % size
    values, channel = (v[:height, :width] for v in (samples(frame.mosaic, frame.info.levels), frame.info.cfa.channel_map(frame.info.shape)))
    planes = []
    for c in range(3):
        mine = channel == c
        total, count = (v.reshape(height // size, size, width // size, size).sum(axis=(1, 3)) for v in (np.where(mine, values, 0), mine))
        planes.append(total / np.maximum(count, 1))
    return np.stack(planes, axis=2).astype(np.float64), size


def _proposed(image: Doubles) -> Iterator[Doubles]:
    """Yield the (24, 2) centres, x and y, of the grids that the detector proposes."""
    grey = np.maximum(np.median(image.reshape(-1, 3), axis=0), 1e-6)
    balanced = np.clip(image / (grey / grey[1]), 0, None)
    border = int(_BORDER * max(image.shape))
    for percentile in _WHITES:
        white = max(float(np.percentile(balanced[..., 1], percentile)), 1e-6)
        shown = np.rint(255 * encode_srgb(np.clip(balanced / white, 0, 1).astype(np.float32))).astype(np.uint8)
        for width in (0, border):
            padded = cv2.copyMakeBorder(shown[..., ::-1], width, width, width, width, cv2.BORDER_CONSTANT, value=(24, 24, 24))
            for chart in _detected(np.ascontiguousarray(padded)):
                yield np.array(chart.getColorCharts(), np.float64).reshape(-1, 4, 2).mean(axis=1) - width


def _detected(image: NDArray[np.uint8]) -> Sequence[Any]:
    detector = cv2.mcc.CCheckerDetector.create()
    detector.setColorChartType(cv2.mcc.MCC24)
    return list(detector.getListColorChecker()) if detector.process(image, _CHARTS) else []


def _difference(image: Doubles, centres: Doubles) -> float:
    """Return the mean colour difference of patches at these centres from the chart's, after the best linear fit; infinity outside of the image."""
    height, width = image.shape[:2]
    if len(centres) != ROWS * COLUMNS or centres.min() < 0 or (centres >= (width, height)).any():
        return np.inf
    half = max(1, int(_HALF * _distance(centres)))
    rgb = np.array([_patch(image, x, y, half) for x, y in np.rint(centres).astype(int)])
    fit = np.linalg.lstsq(rgb, PATCH_XYZ, rcond=None)[0]
    return float(np.linalg.norm(xyz_to_lab(rgb @ fit, D65) - xyz_to_lab(PATCH_XYZ, D65), axis=1).mean())


def _distance(centres: Doubles) -> float:
    """Return the distance of neighbouring patches, pixels, along the shorter axis."""
    return float(min(np.linalg.norm(centres[1] - centres[0]), np.linalg.norm(centres[COLUMNS] - centres[0])))


def _placed(image: Doubles, centres: Doubles) -> Doubles:
    """Return the centres (24, 2), in perspective, moved to where the patches are the most uniform."""
    offsets = np.linspace(-_PLACED_HALF, _PLACED_HALF, _PLACED_STEPS)
    points = (_GRID[:, None, None] + np.stack(np.meshgrid(offsets, offsets), axis=2)).reshape(1, -1, 2)  # in distances of patches
    shown = encode_srgb(image / max(float(np.percentile(image, 99)), 1e-6))
    best = centres[list(_CORNERS)]
    for blur in _PLACED_BLURS:
        best = _moved(cv2.GaussianBlur(shown, (0, 0), max(blur * _distance(centres), 0.5)), best, points, _distance(centres))
    moved = cv2.perspectiveTransform(_GRID[None], _from_grid(best))[0]
    return moved if _difference(image, moved) < max(_WORST_DIFFERENCE, _difference(image, centres)) else centres


def _moved(image: NDArray[Any], corners: Doubles, points: Doubles, step: float) -> Doubles:
    """Return the corners (4, 2) where samples at the grid's `points` differ the least from the medians of their patches as they are now."""

    def sampled(corners: Doubles) -> Doubles:
        x, y = cv2.perspectiveTransform(points, _from_grid(corners))[0].T.astype(np.float32)
        return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float64).reshape(ROWS * COLUMNS, -1, 3)

    def misfit(moves: Doubles) -> Doubles:
        return np.asarray((sampled(corners + step * (moves.reshape(4, 2) - 1)) - colours).ravel())

    colours = np.median(sampled(corners), axis=1, keepdims=True)
    moves = least_squares(misfit, np.ones(8), bounds=(0.5, 1.5), loss="soft_l1", f_scale=0.05, diff_step=0.02, max_nfev=30).x  # not from 0: steps are relative
    return np.asarray(corners + step * (moves.reshape(4, 2) - 1))


def _from_grid(corners: Doubles) -> Doubles:
    return np.asarray(cv2.getPerspectiveTransform(_GRID[list(_CORNERS)].astype(np.float32), corners.astype(np.float32)), np.float64)


def _patch(image: Doubles, x: int, y: int, half: int) -> Doubles:
    return np.asarray(np.median(image[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1].reshape(-1, 3), axis=0))


def _separate(found: Sequence[_Found]) -> list[_Found]:
    """Return the best candidate at each position."""
    kept: list[_Found] = []
    for one in sorted(found, key=lambda f: f.difference):
        middle, extent = one.centres.mean(axis=0), np.ptp(one.centres, axis=0).max()
        if all(np.linalg.norm(middle - other.centres.mean(axis=0)) > 0.5 * extent for other in kept):
            kept.append(one)
    return kept
