"""The noise line below the floors of all levels and channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.noise import Noise
from burstsr.noise.fit import NoiseFit, Points, clipped_at
from burstsr.noise.floor import Floors

Doubles = NDArray[np.float64]
_READ_E, _READ_SPREAD = 5.0, 0.5  # typical read noise, electrons, and the standard deviation of its logarithm
_ALIKE = np.array([0.2, 0.4])  # typical log ratio of the channels' alpha and beta; heavy-tailed, so that the data can override it
_SWEEPS = 2
_BEND = 0.1  # logarithmic step for the curvature of the likelihood
_SCALES = np.exp(np.arange(-4.0, 4.01, 0.1))


def line_below(floors: Floors) -> NoiseFit:
    """Return the most likely variance = alpha x + beta per channel. A channel without blocks takes the line of green, else of any other.

    The prior, where the floors do not decide: typical read noise (5 electrons) and equal gain in all channels.
    """
    known = [c for c in range(3) if floors.level[c].size]
    logs = {c: _most_likely(floors, c, [], _first(floors, c)) for c in known}
    for _ in range(_SWEEPS):
        for c in known:
            logs[c] = _most_likely(floors, c, [logs[k] for k in known if k != c], logs[c])
    lines = {c: _with_errors(floors, c, [logs[k] for k in known if k != c], logs[c]) for c in known}
    spare = next((lines[c] for c in (1, 0, 2) if c in lines), (1e-4, 1e-6, 1e-4, 1e-6))
    found = np.array([lines.get(c, spare) for c in range(3)])
    points = tuple(_points(floors, c) for c in range(3))
    return NoiseFit(Noise(found[:, 0], found[:, 1]), found[:, 2], found[:, 3], (points[0], points[1], points[2]))


def scale_of(floors: Floors, model: Noise) -> float:
    """Return the most likely ratio of the variances to those of `model`."""
    known = [c for c in range(3) if floors.level[c].size]
    totals = [sum(floors.of(c, _variance(floors, c, model.alpha[c] * k, model.beta[c] * k)) for c in known) for k in _SCALES]
    return float(_SCALES[int(np.argmax(totals))]) if known else 1.0


def _variance(floors: Floors, channel: int, alpha: float, beta: float) -> Doubles:
    return clipped_at(floors.level[channel], np.array([alpha, beta]), floors.low, 1.0)


def _likelihood(floors: Floors, channel: int, others: list[Doubles], logs: Doubles) -> float:
    """Return the log-likelihood of a channel's (ln alpha, ln beta); others: those of the other channels."""
    alpha, beta = np.exp(np.clip(logs, -40.0, 5.0))
    read = 0.5 * logs[1] - logs[0]
    prior = 0.5 * ((read - np.log(_READ_E)) / _READ_SPREAD) ** 2 + sum(float(np.log1p(((logs - other) / _ALIKE) ** 2).sum()) for other in others)
    return floors.of(channel, _variance(floors, channel, float(alpha), float(beta))) - float(prior)


def _first(floors: Floors, channel: int) -> Doubles:
    """Return the starting point: the best of a coarse grid."""
    middle = float(np.median(np.log(floors.ceiling[channel] / (np.maximum(floors.level[channel], 0.0) + 0.02))))
    tries = [np.array([a, 2 * (a + np.log(_READ_E) + r)]) for a in middle + np.arange(-3.0, 1.1, 0.5) for r in (-1.0, 0.0, 1.0)]
    return max(tries, key=lambda logs: _likelihood(floors, channel, [], logs))


def _most_likely(floors: Floors, channel: int, others: list[Doubles], start: Doubles) -> Doubles:
    from scipy.optimize import minimize  # only where noise is measured: takes long to import

    simplex = start + np.array([[0.0, 0.0], [0.4, 0.0], [0.0, 0.8]])
    options = {"initial_simplex": simplex, "xatol": 0.01, "fatol": 0.01, "maxfev": 120}
    return np.asarray(minimize(lambda logs: -_likelihood(floors, channel, others, logs), start, method="Nelder-Mead", options=options).x)


def _with_errors(floors: Floors, channel: int, others: list[Doubles], logs: Doubles) -> tuple[float, float, float, float]:
    """Return alpha, beta and their standard errors, from the curvature of the likelihood."""

    def value(a: float, b: float) -> float:
        return _likelihood(floors, channel, others, logs + _BEND * np.array([a, b]))

    here = value(0, 0)
    aa, bb = (2 * here - value(*d) - value(-d[0], -d[1]) for d in ((1, 0), (0, 1)))
    ab = (value(1, -1) + value(-1, 1) - value(1, 1) - value(-1, -1)) / 4
    bend = np.array([[max(aa, 0.01), ab], [ab, max(bb, 0.01)]]) / _BEND**2
    values, vectors = np.linalg.eigh(bend)
    errors = np.sqrt((vectors**2) @ (1 / np.maximum(values, 0.5)))
    alpha, beta = np.exp(logs)
    return float(alpha), float(max(beta, 1e-12)), float(alpha * errors[0]), float(beta * errors[1])


def _points(floors: Floors, channel: int) -> Points:
    """Return the floors, for records and plots."""
    none = np.zeros(floors.level[channel].shape)
    return Points(floors.level[channel], floors.ceiling[channel], floors.spread[channel], none, none)
