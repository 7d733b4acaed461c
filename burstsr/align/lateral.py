"""Lateral chromatic aberration of an image whose colours were sampled independently: where red and blue show what green shows.

In every square of the image, red is fitted by green and its gradient; the coefficients give the displacement along both axes, and their covariance. A
magnification, a common shift and a rotation are fitted to the displacements of all squares, robustly; a lens has no rotation. Red is then moved by the
magnification found, and the same repeated, finer each time, so that the fits end at no displacement, where noise in green does not bias them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.parallel import in_parallel

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_SQUARE = 64  # pixels along a square
_SIGMAS_PX = (2.0, 1.0, 1.0)  # of the band-passes' inner Gaussian, one per iteration; the outer is wider by:
_WIDER = 4.0
_OFFSET = 0.003  # added before the square root
_CLIPPED = 0.97
_AROUND_CLIPPED = 9  # pixels
_CORRELATED = 0.3  # squared correlation of red with green below which a square is not used
_FAINTEST = 1e-8  # mean square of a band below which it is rounding
_ERROR_PX = 0.03  # of a square's displacement, in addition to that by noise: colours have edges of their own
_FEWEST = 12  # squares
_ROUNDS = 10  # of reweighting
_CURVED = 8.0  # standard errors from which the magnification depends on the radius: what colours of the scene fake is extrapolated to the corners


class Magnification(NamedTuple):
    """Magnification of a channel relative to green. k0, k1: as in `LateralAberration`. corner_px, error_px: displacement in the corners and its standard
    error, raw pixels. rotation_px: displacement by rotation there, which no lens causes. squares: number used.
    """

    k0: float
    k1: float
    corner_px: float
    error_px: float
    rotation_px: float
    squares: int


NOTHING = Magnification(0.0, 0.0, 0.0, float("inf"), 0.0, 0)


class Patch(NamedTuple):
    """A part of an image: (h, w, 3), whose first pixel is at origin (y, x) of the whole."""

    image: Floats
    origin: tuple[int, int]


class _Squares(NamedTuple):
    """Displacements (n, 2) of squares at (n, 2) from the centre of the image, pixels, and their information, (n, 2, 2)."""

    place: Doubles
    shift: Doubles
    information: Doubles


class _Line(NamedTuple):
    """Fitted parameters (magnifications, rotation, shift y, shift x), and their covariance."""

    values: Doubles
    covariance: Doubles


def magnifications(patches: Sequence[Patch], shape: tuple[int, int], scale: float) -> tuple[Magnification, Magnification]:
    """Return those of red and of blue, from parts of an image of `shape` at `scale` whose colours were not denoised together.

    `NOTHING` where too few squares tell.
    """
    prepared = list(in_parallel(lambda patch: _Planes.of(patch, shape), patches))
    each = in_parallel if len(patches) == 1 else map  # else the patches of a channel run on all cores
    red, blue = each(lambda channel: _magnification(prepared, channel, shape, scale), (0, 2))
    return red, blue


class _Planes:
    """Square roots of a patch's planes, its centre (that of the image, in its pixels), and the bands of green."""

    def __init__(self, roots: list[Floats], valid: Floats, centre: tuple[float, float]) -> None:
        self.roots, self.valid, self.centre = roots, valid, centre
        self._greens: dict[float, tuple[Floats, Floats, Floats]] = {}

    @classmethod
    def of(cls, patch: Patch, shape: tuple[int, int]) -> _Planes:
        image = patch.image
        clipped = np.asarray(cv2.dilate(image.max(axis=2), np.ones((_AROUND_CLIPPED, _AROUND_CLIPPED), np.uint8)), np.float32)
        roots = [np.sqrt(np.maximum(image[..., c], 0) + np.float32(_OFFSET)) for c in range(3)]
        centre = ((shape[0] - 1) / 2 - patch.origin[0], (shape[1] - 1) / 2 - patch.origin[1])
        return cls(roots, (clipped < _CLIPPED).astype(np.float32), centre)

    def green(self, sigma: float) -> tuple[Floats, Floats, Floats]:
        """Return the band of green, and its gradient along y and x."""
        if sigma not in self._greens:
            green = _band(self.roots[1], sigma)
            y, x = np.zeros_like(green), np.zeros_like(green)
            y[1:-1], x[:, 1:-1] = (green[2:] - green[:-2]) / 2, (green[:, 2:] - green[:, :-2]) / 2
            self._greens[sigma] = green, y, x
        return self._greens[sigma]


def _magnification(patches: Sequence[_Planes], channel: int, shape: tuple[int, int], scale: float) -> Magnification:
    """Return the magnification of a channel; k1 is 0 unless it is significant."""
    found, radius = 0.0, float(np.hypot(*shape)) / 2
    squares = line = None
    for sigma in _SIGMAS_PX:
        parts = in_parallel(partial(_displaced, channel=channel, k=found, sigma=sigma), patches)
        squares = _Squares(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        if len(squares.place) < _FEWEST:
            return NOTHING
        line = _fitted(squares, radius, 1)
        found -= float(line.values[0])
    assert squares is not None and line is not None
    k, terms, bent = (found, 0.0), 1, _fitted(squares, radius, 2)
    if abs(bent.values[1]) > _CURVED * np.sqrt(bent.covariance[1, 1]):
        k, terms = (found + float(line.values[0] - bent.values[0]), -float(bent.values[1])), 2
        line = bent
    size = radius / scale
    error = float(np.sqrt(line.covariance[:terms, :terms].sum()))
    return Magnification(k[0], k[1], -sum(k) * size, error * size, float(line.values[terms]) * size, len(squares.place))


def _displaced(patch: _Planes, channel: int, k: float, sigma: float) -> _Squares:
    """Return the displacements of a patch's channel, magnified by 1 + k, against its green."""
    plane = patch.roots[channel]
    return _squares(patch, _magnified(plane, k, patch.centre) if k else plane, sigma)


def _squares(patch: _Planes, plane: Floats, sigma: float) -> _Squares:
    """Return the displacements of `plane` against the patch's green."""
    terms, plane = patch.green(sigma), _band(plane, sigma)
    margin = int(np.ceil(2 * _WIDER * sigma))
    rows, columns = (max(n - 2 * margin, 0) // _SQUARE for n in plane.shape)

    def sums(values: Floats) -> Doubles:
        inner = values[margin : margin + rows * _SQUARE, margin : margin + columns * _SQUARE]
        return np.asarray(inner.reshape(rows, _SQUARE, columns, _SQUARE).sum(axis=(1, 3)).ravel(), np.float64)

    weighted = [term * patch.valid for term in terms]
    matrix = np.empty((rows * columns, 3, 3))
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
        matrix[:, i, j] = matrix[:, j, i] = sums(weighted[i] * terms[j])
    matrix += 1e-12 * np.eye(3)
    right = np.array([sums(a * plane) for a in weighted]).T
    power, count = sums(plane * plane * patch.valid), sums(patch.valid)
    solution = np.linalg.solve(matrix, right[..., None])[..., 0]
    left = np.maximum(power - (solution * right).sum(axis=1), 1e-15)
    gain = solution[:, 0]
    use = (count > _SQUARE**2 / 2) & (power > _FAINTEST * count) & (gain > 0) & (left < (1 - _CORRELATED) * power)
    own = matrix[:, 1:, 1:] - matrix[:, 1:, :1] * matrix[:, :1, 1:] / matrix[:, :1, :1]
    correlated = 4 * np.pi * sigma**2  # pixels
    information = own[use] * (gain[use] ** 2 * count[use] / left[use])[:, None, None] / correlated
    place = np.stack(np.meshgrid(*((np.arange(n) + 0.5) * _SQUARE + margin - 0.5 for n in (rows, columns)), indexing="ij"), -1).reshape(-1, 2)
    return _Squares(place[use] - patch.centre, -solution[use, 1:] / gain[use, None], information)


def _magnified(plane: Floats, k: float, centre: tuple[float, float]) -> Floats:
    """Return a plane (h, w) that shows at c + (p - c) (1 + k) what `plane` shows at p, bicubic; c: centre."""
    x, y = ((np.arange(n, dtype=np.float32) - np.float32(c)) / np.float32(1 + k) + np.float32(c) for n, c in zip(plane.shape[::-1], centre[::-1], strict=True))
    at_y, at_x = (np.ascontiguousarray(v, np.float32) for v in np.broadcast_arrays(y[:, None], x))
    return np.asarray(cv2.remap(plane, at_x, at_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _fitted(squares: _Squares, radius: float, terms: int) -> _Line:
    """Fit magnification (with the radius' square as a second term), rotation and shift to the squares' displacements, with Cauchy weights."""
    from_centre = squares.place
    share = (from_centre**2).sum(axis=1, keepdims=True) / radius**2
    turned = np.stack([-from_centre[:, 1], from_centre[:, 0]], axis=1)
    ones = np.ones(len(from_centre))
    columns = [from_centre, from_centre * share][:terms] + [turned, np.outer(ones, (1, 0)), np.outer(ones, (0, 1))]
    design = np.stack(columns, axis=2)
    precision = np.linalg.inv(np.linalg.inv(squares.information + 1e-9 * np.eye(2)) + _ERROR_PX**2 * np.eye(2))
    weight = ones
    for _ in range(_ROUNDS):
        normal = np.einsum("nik,nij,njl,n->kl", design, precision, design, weight) + 1e-12 * np.eye(design.shape[2])
        values = np.linalg.solve(normal, np.einsum("nik,nij,nj,n->k", design, precision, squares.shift, weight))
        away = squares.shift - design @ values
        weight = 1 / (1 + np.einsum("ni,nij,nj->n", away, precision, away) / 4)
    score = np.einsum("nik,nij,nj,n->nk", design, precision, away, weight)  # errors from the scatter itself (sandwich)
    inverse = np.linalg.inv(normal)
    spare = max(len(ones) - len(values), 1)
    return _Line(values, inverse @ (score.T @ score) @ inverse * len(ones) / spare)


def _band(plane: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma) - cv2.GaussianBlur(plane, (0, 0), _WIDER * sigma), np.float32)
