"""Fit of a lens's blur over the field to a record's measurements at single positions."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from burstsr.profiles.records import LensRecord

_FEWEST = 6  # positions
_SPREAD = 0.25  # of the squared distance from the centre, in half diagonals: less cannot tell growth
_CERTAIN = 2.0  # standard errors by which the blur must grow
_LEAST_ERROR_PX, _LEAST_PX = 0.01, 0.05  # at a position: lower limits of its error and, for that of its square, of its blur


def fit_lens_field(record: LensRecord, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Fit the blur at the centre and in the corners of frames of `shape` (H, W), standard deviations, raw pixels, each less its standard error.

    The square of the blur is fitted by a + b rho^2, rho being the distance from the centre over half the diagonal, robustly (soft L1), with errors that
    include the scatter of positions about the fit. None where there are fewer than six positions, where they are too close to each other, or where they do not
    show that the blur grows: then the record has one blur for the whole frame.
    """
    places = record.places or ()
    if len(places) < _FEWEST or not all({"y_px", "x_px", "psf_sigma_px"} <= place.keys() for place in places):
        return None
    away = np.array([[place["y_px"] - (shape[0] - 1) / 2, place["x_px"] - (shape[1] - 1) / 2] for place in places])
    share = (away**2).sum(axis=1) / (np.hypot(*shape) / 2) ** 2
    if np.ptp(share) < _SPREAD:
        return None
    sigma = np.array([place["psf_sigma_px"] for place in places])
    error = np.maximum([place.get("error_px", 0.0) for place in places], _LEAST_ERROR_PX) * 2 * np.maximum(sigma, _LEAST_PX)
    terms = np.stack([np.ones_like(share), share], axis=1)
    fit = optimize.least_squares(lambda p: (terms @ p - sigma**2) / error, np.array([np.median(sigma) ** 2, 0.0]), loss="soft_l1")
    left = fit.fun
    excess = max(float(np.median(np.abs(left)) / 0.6745) ** 2 * len(left) / (len(left) - 2), 1.0)
    scaled = terms / error[:, None]
    covariance = np.linalg.inv(scaled.T @ scaled) * excess
    if fit.x[1] < _CERTAIN * np.sqrt(covariance[1, 1]):
        return None
    centre, corner = (_less_its_error(float(at @ fit.x), float(at @ covariance @ at)) for at in np.array([[1.0, 0.0], [1.0, 1.0]]))
    return centre, max(centre, corner)


def _less_its_error(square: float, variance: float) -> float:
    """Return a standard deviation less its standard error, from its square and the variance of that."""
    sigma = float(np.sqrt(max(square, 0.0)))
    return max(sigma - float(np.sqrt(variance)) / (2 * max(sigma, _LEAST_PX)), 0.0)
