"""Fit of the line of a photon-transfer curve, corrected for clipping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.censored_normal import clipped_moments
from burstsr.core.noise import Noise

Doubles = NDArray[np.float64]
_STEPS = 400  # levels at which the clipped mean is tabulated for inversion
_ROUNDS = 3
_SHARE = (1.0, 2.5)  # factor of structure that may be contained in the variance
_USUAL_READ_E = 3.0  # typical read noise, electrons
_USUAL_WEIGHT, _USUAL_UNCERTAIN = 3.0, 100.0  # weight of that prior: minimum, and factor on the squared relative error of beta
_HUBER = 2.0  # standard errors beyond which a point is down-weighted


@dataclass(frozen=True)
class Points:
    """Measured variances of one channel, normalised units.

    level: (n,) mean of clipped samples. variance: (n,) of clipped samples, structure included. relative_error: (n,) standard error of `variance`, relative to
    the noise variance. structure: (n,) the part of `variance` due to structure, up to a common factor; zeros where there is none.
    structure_error: (n,) its standard error.
    """

    level: Doubles
    variance: Doubles
    relative_error: Doubles
    structure: Doubles
    structure_error: Doubles

    def error(self, expected: Doubles | None = None) -> Doubles:
        """Return the (n,) standard error of `variance`, given the expected variance (default: as measured)."""
        return np.asarray(np.hypot(self.relative_error * (self.variance if expected is None else expected), self.structure_error))


@dataclass(frozen=True)
class NoiseFit:
    """A noise model with its standard errors, (3,) each for R, G, B, and the points of each channel."""

    noise: Noise
    alpha_error: Doubles
    beta_error: Doubles
    points: tuple[Points, Points, Points]


def fit(points: tuple[Points, Points, Points], low: float, high: float = 1.0) -> NoiseFit:
    """Fit variance = alpha x + beta, both at least 0, to each channel's points: weighted least squares with Huber weights for outliers.

    low, high: clipping levels of the sensor. Near them the model is clipped as the samples are (Foi 2008, section IV). A channel without points takes the
    line of green, else of any other. Where the levels hardly differ, a prior of typical read noise (3 electrons) separates shot noise from read noise;
    where they do differ it changes beta by about (3 error of beta / variance)^2.
    """
    lines = [_line(p, low, high) if p.level.size else None for p in points]
    spare = next((line for line in (lines[1], lines[0], lines[2]) if line is not None), (1e-4, 1e-6, 1e-4, 1e-6))
    found = np.array([line or spare for line in lines])
    return NoiseFit(Noise(found[:, 0], found[:, 1]), found[:, 2], found[:, 3], points)


def _line(points: Points, low: float, high: float) -> tuple[float, float, float, float]:
    """Return alpha, beta and their standard errors."""
    from scipy.optimize import least_squares  # only where noise is measured: takes long to import

    level, variance = points.level, points.variance
    unit = np.array([max(float(np.median(variance)) / max(float(np.median(np.abs(level))), 1e-6), 1e-12), max(float(np.median(variance)), 1e-14)])
    expected, prior_weight = np.full(level.shape, unit[1]), 0.0

    def misfit(p: Doubles) -> Doubles:
        alpha, beta = p[:2] * unit
        residuals = (clipped_at(level, p[:2] * unit, low, high) + p[2] * points.structure - variance) / np.maximum(points.error(expected), 1e-15)
        return np.append(residuals, prior_weight * (beta - (_USUAL_READ_E * alpha) ** 2) / unit[1])

    p = np.array([0.5, 0.5, 1.01])
    limits = ((0.0, 0.0, _SHARE[0]), (np.inf, np.inf, _SHARE[1]))
    for _ in range(_ROUNDS):  # errors follow the expected, not the measured variance: a point that is low by chance must not get more weight
        result = least_squares(misfit, p, bounds=limits, loss="huber", f_scale=_HUBER)
        p = result.x
        excess = max(float(2 * result.cost) / max(level.size - 2, 1), 1.0)  # points scatter more than their errors predict
        errors = np.sqrt(np.maximum(np.diag(np.linalg.pinv(result.jac.T @ result.jac)) * excess, 0.0))
        if prior_weight == 0:
            prior_weight = _USUAL_WEIGHT + _USUAL_UNCERTAIN * float(errors[1]) ** 2
        expected = np.maximum(clipped_at(level, p[:2] * unit, low, high), 1e-3 * unit[1])
    alpha, beta = p[:2] * unit
    return float(alpha), float(max(beta, 1e-12)), float(errors[0] * unit[0]), float(errors[1] * unit[1])


def clipped_at(mean: Doubles, line: Doubles, low: float, high: float) -> Doubles:
    """Return the variance after clipping of noise alpha x + beta, line = (alpha, beta), at the levels x whose clipped mean is `mean`."""
    alpha, beta = float(line[0]), float(line[1])
    reach = 4 * np.sqrt(alpha * max(high, 0.0) + beta)
    below, above = np.linspace(min(low, 0.0) - reach, 0.0, _STEPS // 4, endpoint=False), np.linspace(high, high + reach, _STEPS // 4)
    level = np.concatenate([below, high * np.linspace(0, 1, _STEPS // 2, endpoint=False) ** 2, above])
    means, variances = clipped_moments(level, alpha * np.maximum(level, 0.0) + beta, low, high)
    return np.asarray(np.interp(mean, means, variances))
