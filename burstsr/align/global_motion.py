"""Global motion: a translation by cross-correlation, then a robust affine fit to the tiles' motion."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from burstsr.align import motion_loops
from burstsr.align.fisher import weighted_median

Array = NDArray[np.float64]


def translation(ref: NDArray[np.float32], frame: NDArray[np.float32], peaks: int = 6) -> tuple[int, int]:
    """Return the integer (dy, dx) with frame(p + d) = ref(p), for small images of equal shape (H, W).

    Candidates are zero and the highest peaks of two windowed cross-correlations, plain and phase (Kuglin & Hines 1975). The one with the smallest
    mean absolute difference over the overlap is returned, with a slight preference for large overlaps.
    """
    height, width = ref.shape
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    shape = (scipy.fft.next_fast_len(2 * height, real=True), scipy.fft.next_fast_len(2 * width, real=True))
    a = scipy.fft.rfft2((ref - ref.mean()) * window, shape)
    b = scipy.fft.rfft2((frame - frame.mean()) * window, shape)
    cross = b * np.conj(a)
    candidates = {(0, 0)}
    for spectrum in (cross, cross / np.maximum(np.abs(cross), 1e-12 + 1e-3 * np.abs(cross).max())):
        surface = scipy.fft.irfft2(spectrum, shape)
        for _ in range(peaks):
            y, x = np.unravel_index(int(np.argmax(surface)), surface.shape)
            rows, columns = np.arange(y - 1, y + 2) % shape[0], np.arange(x - 1, x + 2) % shape[1]
            surface[np.ix_(rows, columns)] = -np.inf
            dy, dx = int(y - shape[0] if y > shape[0] // 2 else y), int(x - shape[1] if x > shape[1] // 2 else x)
            if abs(dy) <= height // 2 and abs(dx) <= width // 2:
                candidates.add((dy, dx))
    return min(sorted(candidates), key=lambda d: _difference(ref, frame, *d))


def _difference(ref: NDArray[np.float32], frame: NDArray[np.float32], dy: int, dx: int) -> float:
    height, width = ref.shape
    a = ref[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    b = frame[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)]
    share = a.size / ref.size
    return float(np.abs(a - b).mean() / np.sqrt(share))


def fit_affine(position: Array, flow: Array, information: Array, rounds: int = 8, cut: float = 3.0) -> tuple[Array, Array]:
    """Fit an affine motion to tile flows, robust against moving objects.

    position (n, 2): tile centres, any unit of order one. flow (n, 2). information (n, 2, 2): inverse covariance of each flow, up to a common factor.
    Returns the coefficients (3, 2) for [1, y, x] and the tiles' residuals (n,) in units of the typical residual. Iteratively reweighted least squares
    with Geman-McClure weights.
    """
    position, flow, information = (np.ascontiguousarray(v, np.float64) for v in (position, flow, information))
    tiles = len(position)
    weight, squared, residual = np.ones(tiles), np.empty(tiles), np.zeros(tiles)
    trace = information[:, 0, 0] + information[:, 1, 1]
    coefficients = np.zeros((3, 2))
    ridge = 1e-6 * max(float(information.sum()), 1e-12)
    for step in range(rounds):
        normal, right = np.zeros((3, 2, 3, 2)), np.zeros((3, 2))
        motion_loops.affine_sums(0, tiles, position, flow, information, weight, normal, right)
        square = normal.reshape(6, 6)
        square[np.arange(2, 6), np.arange(2, 6)] += ridge
        coefficients = np.asarray(np.linalg.lstsq(square, right.reshape(6), rcond=1e-10)[0].reshape(3, 2), np.float64)
        motion_loops.affine_misfits(0, tiles, position, flow, information, coefficients, squared)
        typical = max(weighted_median(squared, trace) / 1.386, 1e-12)  # 1.386 = median of chi^2 with two degrees of freedom
        residual = np.sqrt(np.maximum(squared, 0.0) / typical)
        shrinking = cut * max(1.0, 4.0 - step)
        weight = 1.0 / (1.0 + (residual / shrinking) ** 2) ** 2
    return coefficients, residual
