"""Colour matrix of a camera from a chart of 24 patches (ColorChecker Classic, in four rows of six), photographed in daylight.

The matrix from white-balanced camera RGB to XYZ keeps white, and minimises the colour differences (CIE 1976) of all patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from burstsr.core.burst import Frame
from burstsr.core.errors import SettingsError
from burstsr.core.sensor import samples
from burstsr.profiles.records import ColourRecord, now, triple
from calibration.chart_reference import COLUMNS, D65, PATCH_XYZ, ROWS, xyz_to_lab
from calibration.chart_search import Corner, find_chart

Doubles = NDArray[np.float64]
_GREYS = slice(19, 23)  # neutral 8 to 3.5: neither the brightest, which may be clipped, nor black
_ROUNDS = 3
_HALF = 0.25  # half side of the part of a patch that is averaged, in distances of patches
_FEWEST = 8  # samples of a colour in a patch
_CLIPPED, _MOST_CLIPPED = 0.98, 0.01
_EVEN = 0.15  # largest relative standard deviation of green within a patch


def colour_from_chart(frame: Frame, corners: Sequence[Corner] | None = None) -> ColourRecord:
    """Measure the matrix from a frame of the chart.

    corners: (x, y) of the centres of the patches in its corners, raw pixels of the sensor: dark skin, bluish green, black, white; None: found. Raises
    SettingsError where they are not found, for corners that do not fit, patches that are clipped, and monochrome sensors.
    """
    if frame.info.cfa.is_mono:
        raise SettingsError(f"{frame.info.path}: a monochrome sensor has no colours")
    if corners is None:
        corners = find_chart(frame)
    rgb = patches(frame, corners)
    neutral = (rgb[_GREYS] / rgb[_GREYS, 1:2]).mean(axis=0)
    for _ in range(_ROUNDS):  # greys of charts are not quite neutral
        matrix, differences = fitted_matrix(rgb / neutral, PATCH_XYZ)
        ratio = rgb[_GREYS] / (PATCH_XYZ[_GREYS] @ np.linalg.inv(matrix).T)
        neutral = (ratio / ratio[:, 1:2]).mean(axis=0)
    rows = np.diag(neutral) @ np.linalg.inv(matrix)
    return ColourRecord(
        camera=frame.info.camera,
        iso=frame.info.iso,
        date=now(),
        method="24 patches",
        xyz_to_camera=(triple(rows[0]), triple(rows[1]), triple(rows[2])),
        neutral=triple(neutral),
        delta_e_mean=float(differences.mean()),
        delta_e_max=float(differences.max()),
        corners_px=tuple((float(x), float(y)) for x, y in corners),
    )


def patches(frame: Frame, corners: Sequence[Corner]) -> Doubles:
    """Return (24, 3) mean camera RGB of the patches, row by row."""
    grid = np.array([(0, 0), (COLUMNS - 1, 0), (COLUMNS - 1, ROWS - 1), (0, ROWS - 1)], np.float32)
    to_grid = cv2.getPerspectiveTransform(np.array(corners, np.float32), grid)
    height, width = frame.info.shape
    y, x = np.meshgrid(np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64), indexing="ij")
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v, w = (a * x + b * y + c for a, b, c in to_grid)
        u, v = u / w, v / w
    column, row = np.rint(u), np.rint(v)
    inside = (np.abs(u - column) < _HALF) & (np.abs(v - row) < _HALF) & (column >= 0) & (column < COLUMNS) & (row >= 0) & (row < ROWS)
    patch = (row[inside] * COLUMNS + column[inside]).astype(int)
    values, channel = samples(frame.mosaic, frame.info.levels)[inside].astype(np.float64), frame.info.cfa.channel_map(frame.info.shape)[inside].astype(int)
    index, count = patch * 3 + channel, ROWS * COLUMNS * 3
    number, total, square, white = (np.bincount(index, weights, count).reshape(-1, 3) for weights in (None, values, values**2, values > _CLIPPED))
    path = frame.info.path
    if number.min() < _FEWEST:
        raise SettingsError(f"{path}: --corners leave fewer than {_FEWEST} samples of a colour in a patch; they are x,y of four patches, in raw pixels")
    if (white > _MOST_CLIPPED * number).any():
        raise SettingsError(f"{path}: patch {int(np.argmax((white / number).max(axis=1))) + 1} is clipped; expose less")
    mean = total / number
    spread = np.sqrt(np.maximum(square / number - mean**2, 0))[:18, 1] / np.maximum(mean[:18, 1], 1e-3)
    if (np.diff(mean[18:, 1]) >= 0).any() or float(np.median(spread)) > _EVEN:
        raise SettingsError(f"{path}: no chart of 24 patches between --corners, which are dark skin, bluish green, black, white, in this order")
    return np.asarray(mean)


def fitted_matrix(balanced: Doubles, xyz: Doubles) -> tuple[Doubles, Doubles]:
    """Return the (3, 3) matrix from balanced camera RGB to XYZ (D65) that keeps white, and the patches' colour differences; exposure is free."""
    start = np.linalg.lstsq(balanced, xyz, rcond=None)[0].T
    exposure = float(np.mean(start.sum(axis=1) / D65))
    lab = xyz_to_lab(xyz, D65)

    def matrix_of(p: Doubles) -> Doubles:
        free = p[:6].reshape(3, 2)
        return np.column_stack([free, D65 - free.sum(axis=1)])

    def difference(p: Doubles) -> Doubles:
        return np.asarray((xyz_to_lab(p[6] * balanced @ matrix_of(p).T, D65) - lab).ravel())

    found = least_squares(difference, np.append((start / exposure)[:, :2].ravel(), exposure)).x
    return matrix_of(found), np.linalg.norm(difference(found).reshape(-1, 3), axis=1)
