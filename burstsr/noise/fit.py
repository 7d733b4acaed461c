"""Points of a photon-transfer curve to the line that they lie on, clipping undone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from burstsr.ground.clipped import clipped_moments
from burstsr.ground.noise import Noise

Doubles = NDArray[np.float64]
_STEPS = 400  # levels at which the clipped mean is known, when it is inverted
_ROUNDS = 3
_SHARE = (1.0, 2.5)  # of structure that measured structure may be
_HUBER = 2.0  # deviations from which a point counts less


@dataclass(frozen=True)
class Points:
    """Measured variances of one channel, normalised units.

    level: (n,) mean of clipped samples. variance: (n,) of clipped samples, structure included. relative_error: (n,) standard error of `variance`, over
    noise's variance. structure: (n,) what of `variance` is structure, up to a factor common to all points; zeros where there is none.
    doubt: (n,) standard error of that.
    """

    level: Doubles
    variance: Doubles
    relative_error: Doubles
    structure: Doubles
    doubt: Doubles

    def error(self, expected: Doubles | None = None) -> Doubles:
        """(n,) standard error of `variance`, given what the variance should be (default: as measured)."""
        return np.asarray(np.hypot(self.relative_error * (self.variance if expected is None else expected), self.doubt))


@dataclass(frozen=True)
class NoiseFit:
    """A noise model with its standard errors, (3,) each for R, G, B, and the points of each channel that it was fitted to."""

    noise: Noise
    alpha_error: Doubles
    beta_error: Doubles
    points: tuple[Points, Points, Points]


def fit(points: tuple[Points, Points, Points], low: float, high: float = 1.0) -> NoiseFit:
    """The line variance = alpha x + beta, both at least 0, through each channel's points: least squares over their errors, outliers weighed down (Huber).

    low, high: levels at which the sensor's numbers end. Near them the model is clipped as the samples are (Foi 2008, section IV). A channel without
    points takes the line of green, else of any other; with points at one level only, shot noise is what is fitted.
    """
    lines = [_line(p, low, high) if p.level.size else None for p in points]
    spare = next((line for line in (lines[1], lines[0], lines[2]) if line is not None), (1e-4, 1e-6, 1e-4, 1e-6))
    found = np.array([line or spare for line in lines])
    return NoiseFit(Noise(found[:, 0], found[:, 1]), found[:, 2], found[:, 3], points)


def _line(points: Points, low: float, high: float) -> tuple[float, float, float, float]:
    """alpha, beta and their standard errors."""
    level, variance = points.level, points.variance
    unit = np.array([max(float(np.median(variance)) / max(float(np.median(np.abs(level))), 1e-6), 1e-12), max(float(np.median(variance)), 1e-14)])
    expected = np.full(level.shape, unit[1])

    def misfit(p: Doubles) -> Doubles:
        return np.asarray(_clipped_at(level, p[:2] * unit, low, high) + p[2] * points.structure - variance) / np.maximum(points.error(expected), 1e-15)

    p = np.array([0.5, 0.5, 1.01])
    limits = ((0.0, 0.0, _SHARE[0]), (np.inf, np.inf, _SHARE[1]))
    for _ in range(_ROUNDS):  # errors go with what is expected, not with what was found: what came out low by chance must not count more
        result = least_squares(misfit, p, bounds=limits, loss="huber", f_scale=_HUBER)
        p = result.x
        expected = np.maximum(_clipped_at(level, p[:2] * unit, low, high), 1e-3 * unit[1])
    alpha, beta = p[:2] * unit
    normal = result.jac.T @ result.jac
    excess = max(float(2 * result.cost) / max(level.size - 2, 1), 1.0)  # points that scatter more than their errors say
    covariance = np.linalg.pinv(normal) * excess
    errors = np.sqrt(np.maximum(np.diag(covariance)[:2], 0.0)) * unit
    return float(alpha), float(max(beta, 1e-12)), float(errors[0]), float(errors[1])


def _clipped_at(mean: Doubles, line: Doubles, low: float, high: float) -> Doubles:
    """Variance after clipping of noise alpha x + beta, line = (alpha, beta), at the levels x whose mean after clipping is `mean`."""
    alpha, beta = float(line[0]), float(line[1])
    reach = 4 * np.sqrt(alpha * max(high, 0.0) + beta)
    level = np.linspace(min(low, 0.0) - reach, high + reach, _STEPS)
    means, variances = clipped_moments(level, alpha * np.maximum(level, 0.0) + beta, low, high)
    return np.asarray(np.interp(mean, means, variances))
