"""Quantisation noise: the variance of samples stored in steps is at least step^2 / 12, however quiet the sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.noise import Noise

Doubles = NDArray[np.float64]
_PARTS = 8  # level intervals of the occurring DN: steps of companded data grow with the level
_SMALL_STEPS = 0.1  # quantile of the gaps between occurring DN taken as the step: where samples are few, most gaps are chance
_FEWEST = 16  # DN per interval


def at_least_quantised(noise: Noise, frame: Frame) -> Noise:
    """Raise the model to at least step^2 / 12, with the step between the DN that occur in `frame` at each level."""
    alpha, beta = noise.alpha.copy(), noise.beta.copy()
    period = max(frame.info.cfa.period[0], 2), max(frame.info.cfa.period[1], 2)  # levels repeat after two
    for site in np.ndindex(*period):
        channel = int(frame.info.cfa[site])
        level, floor = _floor(frame, site, period)
        short = floor - noise.variance(level, channel)
        if not np.any(short > 0):
            continue
        dark, bright = (float(np.min(floor)), level > 0)
        beta[channel] = max(beta[channel], dark)
        need = (floor - beta[channel])[bright] / level[bright]
        alpha[channel] = max(alpha[channel], float(need.max(initial=0.0)))
    if frame.info.cfa.is_mono:
        alpha[:], beta[:] = alpha[0], beta[0]
    return Noise(alpha, beta)


def _floor(frame: Frame, site: tuple[int, ...], period: tuple[int, int]) -> tuple[Doubles, Doubles]:
    """Return levels and the variance of quantisation at each."""
    found = np.flatnonzero(np.bincount(frame.mosaic[site[0] :: period[0], site[1] :: period[1]].ravel())).astype(np.float64)
    parts = np.array_split(found, int(np.clip(found.size // _FEWEST, 1, _PARTS)))
    steps = np.array([float(np.quantile(np.diff(part), _SMALL_STEPS, method="lower")) if part.size > 1 else 1.0 for part in parts])
    at = site[0] % 2, site[1] % 2
    scale = float(frame.info.levels.scale()[at])
    level = np.array([float(part.mean()) for part in parts]) - float(frame.info.levels.black[at])
    return level * scale, (steps * scale) ** 2 / 12
