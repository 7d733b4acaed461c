"""The reconstruction in plain NumPy and SciPy, with explicit matrices. The oracle of the loops.

The image x minimises  sum_i w_i (a_i . G x - y_i)^2 / 2 + prior(x), by half-quadratic splitting (Geman & Yang 1995) with shrinkage as the prior's
proximal map (plug and play: Venkatakrishnan, Bouman & Wohlberg 2013). a_i is the pixel-area forward model: sample i is the mean of the image over the
area of its pixel, displaced by the frame's flow (y = D B F x of Elad & Feuer 1997, where D B is that mean, F the flow and G the lens).

Images and tiles are (3, h, w), flattened in C order to vectors of 3 h w; pixel k of an axis covers k to k + 1. Everything is float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.fft import dctn, idctn

from burstsr.core.flow import Flow

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_array, which is untyped
NO_LENS = np.zeros((3, 4))
SIDE = 8  # pixels along a block of the shrinkage


@dataclass(frozen=True)
class Squares:
    """Positions of a crop's n samples on a tile, row by row.

    p: (n, 2) raw (y, x) in the reference. start: (n, 2) the pixel area's first corner in the tile's pixels. side: its length in pixels, the scale s.
    colour: (n,) 0 to 2. seen: (n,) bool: the sample exists, and the reach + 1 pixels from the one under `start` on are inside the tile.
    """

    p: Array
    start: Array
    side: float
    colour: Ints
    seen: NDArray[np.bool_]


def squares(samples: Array, place: Ints, cfa: Ints, scale: float, back: Flow, origin: Ints, shape: tuple[int, int], lens: Array = NO_LENS) -> Squares:
    """Return the pixel areas of a crop of a mosaic, (m, n) samples or NaN, whose first is at raw `place`: [p, p + 1] times s, with p = q + back(q).

    back: the frame's inverse flow. origin: image (y, x) of the tile's first pixel. shape: (h, w) of the tile.
    lens: (3, 4) of each channel the centre c, k0 and k: it shows at q what green shows at q + (q - c) (k0 + k |q - c|^2).
    """
    y, x = (place[k] + i.ravel() for k, i in enumerate(np.mgrid[: samples.shape[0], : samples.shape[1]]))
    channel = cfa[y % cfa.shape[0], x % cfa.shape[1]]
    off = np.stack([y, x], -1) - lens[channel, :2]
    q = np.stack([y, x], -1) + off * (lens[channel, 2] + lens[channel, 3] * (off**2).sum(-1))[:, None]
    p = q + back.at(q[:, 0], q[:, 1])
    start = p * scale - origin
    seen = ~np.isnan(samples.ravel()) & (start >= 0).all(-1) & (np.floor(start) + math.ceil(scale) < shape).all(-1)
    return Squares(p, start, scale, channel, seen)


def sample_matrix(where: Squares, shape: tuple[int, int]) -> Matrix:
    """Return A, (n, 3 h w): row i has, for the sample's colour, the fraction of its area in each pixel. Rows of samples that are not seen are empty."""
    A = sparse.lil_array((len(where.seen), 3 * shape[0] * shape[1]))
    for i in np.flatnonzero(where.seen):
        (rows, share_y), (columns, share_x) = (_covered(v, where.side) for v in where.start[i])
        for y, a in zip(rows, share_y, strict=True):
            for x, b in zip(columns, share_x, strict=True):
                A[i, (where.colour[i] * shape[0] + y) * shape[1] + x] = a * b
    return sparse.csr_array(A)


def blur_matrix(taps: Array, shape: tuple[int, int]) -> Matrix:
    """Return G, (3 h w, 3 h w): lens blur by `taps`, odd and symmetric, along both axes of every colour; zeros beyond the borders."""
    reach = len(taps) // 2
    along = [sparse.diags_array(list(taps), offsets=list(range(-reach, reach + 1)), shape=(n, n)) for n in shape]
    return sparse.csr_array(sparse.kron(sparse.eye_array(3), sparse.kron(*along)))


def weights(where: Squares, robustness: Array, corner: Ints, certainty: Array) -> Array:
    """Return w, (n,): robustness of the CFA cell under p (nearest beyond the edges) times certainty (1 / variance) at the pixel under the area's centre.

    robustness: (m, n) per CFA cell of the reference from cell `corner` on. certainty: (3, h, w).
    """
    return robustness[_cell(where, corner, robustness.shape)] * _at_centre(where, certainty)


def normal_equations(A: Matrix, w: Array, y: Array) -> tuple[Matrix, Array]:
    """Return N = A^T W A, (3 h w, 3 h w), and r = A^T W y. y: samples; values of empty rows of A are ignored."""
    W = sparse.diags_array(np.where(np.diff(A.indptr) > 0, w, 0.0))
    return sparse.csr_array(A.T @ W @ A), np.asarray(A.T @ W @ np.nan_to_num(y.ravel()))


def matrix_of(normal: Array) -> Matrix:
    """Return N, (3 h w, 3 h w), from its half stencil normal[c, y, dy, dx + reach, x] = N((y, x), (y + dy, x + dx)), with dx >= 0 where dy = 0."""
    _, height, count, _, width = normal.shape
    pixel = np.arange(3 * height * width).reshape(3, height, width)
    c, y, dy, k, x = np.nonzero(normal)
    own, other = pixel[c, y, x], pixel[c, y + dy, x + k - (count - 1)]
    half = sparse.csr_array((normal[c, y, dy, k, x].astype(np.float64), (own, other)), (pixel.size, pixel.size))
    return sparse.csr_array(half + half.T - sparse.diags_array(half.diagonal()))


def inside(shape: tuple[int, int], reach: int) -> Array:
    """Return (3 h w,) 1, but 0 on the outermost `reach` pixels, whose equations lack the samples beyond the tile."""
    free = np.zeros((3, *shape))
    free[:, reach : shape[0] - reach, reach : shape[1] - reach] = 1
    return free.ravel()


def colour_differences(balance: Array, pixels: int) -> Matrix:
    """Return C, (2 pixels, 3 pixels): (r - g, b - g) of white-balanced values. balance: (3,) camera RGB of a neutral object."""
    return sparse.kron(np.array([[1, -1, 0], [0, -1, 1]]) / balance, sparse.eye_array(pixels))


def conjugate_gradient(
    N: Matrix, taps: Array, right: Array, penalty: Array, chroma: float, balance: Array, target: Array, iterations: int, x: Array, reach: int
) -> tuple[Array, float]:
    """Run preconditioned conjugate gradients (Hestenes & Stiefel 1952) from x on  (G N G + D + E) x = G r + (D + E) z,  z = target, right = G r.

    D = diag(penalty), E = chroma C^T D_g C. The outermost `reach` pixels are fixed, and N and r have no rows for them. Returns x and the misfit difference: the
    excess of z's squared residuals over x's, (z G N G z - 2 z G r) - (x G N G x - 2 x G r), both over the pixels inside.
    """
    shape = target.shape[1:]
    z, b, v = target.ravel().astype(np.float64), right.ravel(), x.ravel().astype(np.float64)
    free = inside((shape[0], shape[1]), reach)
    G = blur_matrix(taps, (shape[0], shape[1]))
    data = G @ sparse.diags_array(free) @ N @ G
    C = colour_differences(balance, shape[0] * shape[1])
    DE = sparse.diags_array(penalty.ravel()) + chroma * C.T @ sparse.diags_array(np.tile(penalty[1].ravel(), 2)) @ C
    H = data + DE
    M = float((taps**2).sum()) ** 2 * N.diagonal() + DE.diagonal()
    g = free * (b + DE @ z - H @ v)
    p = g / M
    power = g @ p
    for _ in range(iterations):
        q = H @ p * free
        if not (p @ q > 0 and power > 0):
            break
        step = power / (p @ q)
        v = v + step * p
        g = g - step * q
        fresh = g @ (g / M)
        p = g / M + fresh / power * p
        power = fresh

    def misfit_of(u: Array) -> float:
        return float((free * u) @ (data @ u - 2 * b))

    return v.reshape(x.shape), misfit_of(z) - misfit_of(v)


def starts(length: int, offset: int, step: int) -> list[int]:
    """Return the first pixels of the blocks that cover an axis: offset + n step, from the last at or before 0 on."""
    first = offset - step if offset > 0 else 0
    return list(range(first, length - SIDE + step, step))


def shrink(plane: Array, variance: Array, pilot: Array | None, strength: float, offset: tuple[int, int], step: int) -> Array:
    """Return the plane (h, w) with every 8 x 8 block's DCT coefficients (orthonormal DCT-II) shrunk, and overlapping blocks averaged.

    variance: (h, w) of the noise; a block uses the one at its pixel (4, 4), or the nearest. Without a pilot, coefficients below `strength` standard deviations
    are set to zero (hard threshold); with one, (h, w), they are multiplied by  P^2 / (P^2 + strength variance)  (empirical Wiener filter: Ghael, Sayeed &
    Baraniuk 1997). Means are kept. The weight of a block is 1 / (variance * max(sum of squared factors, 1)), the inverse of its remaining noise. The plane is
    mirrored beyond its borders.
    """
    wide, guide = (None if p is None else np.pad(p.astype(np.float64), SIDE, "reflect") for p in (plane, pilot))
    assert wide is not None
    total, weight = np.zeros(wide.shape), np.zeros(wide.shape)
    for y in starts(plane.shape[0], offset[0], step):
        for x in starts(plane.shape[1], offset[1], step):
            block = slice(y + SIDE, y + 2 * SIDE), slice(x + SIDE, x + 2 * SIDE)
            v = float(variance[min(y + SIDE // 2, plane.shape[0] - 1), min(x + SIDE // 2, plane.shape[1] - 1)])
            B = dctn(wide[block], norm="ortho")
            if guide is None:
                factor = np.where(B**2 >= strength**2 * v, 1.0, 0.0)
            else:
                P = dctn(guide[block], norm="ortho")
                factor = P**2 / (P**2 + strength * v)
            share = 1 / (max(float((factor**2).sum()), 1.0) * v)
            factor[0, 0] = 1
            total[block] += share * idctn(factor * B, norm="ortho")
            weight[block] += share
    inside = slice(SIDE, -SIDE), slice(SIDE, -SIDE)
    return np.asarray(total[inside] / weight[inside])


def misfit(where: Squares, y: Array, image: Array, corner: Ints, certainty: Array, count: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Return, per CFA cell of the reference from cell `corner` on, `count` of them: sum of w (y - A x)^2, number of samples, sum of w^(1/2) (y - A x).

    Each (m, n). image: (3, h, w), blurred by the lens. A saturated sample (y >= 1) is a lower bound: it has no residual where the image is brighter.
    """
    left = y.ravel() - sample_matrix(where, (image.shape[1], image.shape[2])) @ image.ravel()
    left = np.where((y.ravel() >= 1) & (left < 0), 0.0, left)
    ky, kx = _cell(where, corner, count)
    total, number, signed = np.zeros(count), np.zeros(count), np.zeros(count)
    weight = _at_centre(where, certainty)
    square = left**2 * weight
    np.add.at(total, (ky[where.seen], kx[where.seen]), square[where.seen])
    np.add.at(number, (ky[where.seen], kx[where.seen]), 1.0)
    np.add.at(signed, (ky[where.seen], kx[where.seen]), (left * np.sqrt(weight))[where.seen])
    return total, number, signed


def _covered(start: float, side: float) -> tuple[Ints, Array]:
    """Return the reach + 1 pixels from the one under `start` on, and the fraction of [start, start + side] in each."""
    pixel = math.floor(start) + np.arange(math.ceil(side) + 1)
    return pixel, np.maximum(np.minimum(pixel + 1, start + side) - np.maximum(pixel, start), 0) / side


def _cell(where: Squares, corner: Ints, count: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Return the CFA cell of the reference under p, counted from `corner`, clipped to `count` cells."""
    ky, kx = (np.clip(np.floor((where.p[:, k] + 0.5) / 2).astype(np.int64) - corner[k], 0, count[k] - 1) for k in (0, 1))
    return ky, kx


def _at_centre(where: Squares, certainty: Array) -> Array:
    """Return the certainty of the sample's colour at the pixel under the centre of its area."""
    y, x = (np.clip((where.start[:, k] + where.side / 2).astype(int), 0, certainty.shape[k + 1] - 1) for k in (0, 1))
    return np.asarray(certainty[where.colour, y, x], np.float64)
