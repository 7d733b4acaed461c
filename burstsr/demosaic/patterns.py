"""Demosaicing of any pattern (X-Trans, quad Bayer): the best linear prediction along four directions, per pixel weighed by how well each predicts the samples.

Samples are those of a Gaussian process: luma, whose correlation falls with distance more slowly along the direction than across, plus, in red and in blue,
colour differences that vary slowly, plus noise. Its conditional mean is linear in the samples around a pixel, with weights that depend on the site alone
(kriging: Matheron 1963); so is the error of predicting a sample from its neighbours (Dubrule 1983, eq. 5), which measures how well a direction fits.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.cfa import GREEN, Cfa
from burstsr.core.jit import over_rows
from burstsr.core.remosaic import inside_at_phase
from burstsr.demosaic import pattern_loops

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_REACH = pattern_loops.SIDE // 2  # pixels around a pixel that predict it
_DIRECTIONS = 4
_ALONG_PX, _ACROSS_PX = 8.0, 2.0  # correlation lengths of luma, whose variance around its mean is 1
_COLOUR_VARIANCE, _COLOUR_PX = 0.1, 3.0  # of colour differences around their mean
_MEAN_VARIANCE = 1e4, 1e2  # of the means of luma and of colour differences: unknown
_NOISE = 0.02  # variance
_AROUND_PX = 1.5  # sigma of the Gaussian over which squared errors are averaged
_SHARPNESS = 4.0  # weight of a direction: mean squared error to the power of minus this
_STRIP, _MARGIN = 96, 6  # rows at a time, and rows beyond them for the average


def demosaic_pattern(samples: Floats, cfa: Cfa, gain: Floats) -> Floats:
    """Demosaic samples (H, W): (H, W, 3) float32, clipped to 0 .. 1. gain (3,): white balance. Works on the square root of white-balanced samples."""
    height, width = samples.shape
    rows, columns = (inside_at_phase(np.arange(-_REACH - _MARGIN, n + _REACH + _MARGIN), n, p) for n, p in zip(samples.shape, cfa.period, strict=True))
    balance = gain[cfa.channel_map((cfa.period[0], width))]
    out = np.empty((height, width, 3), np.float32)

    def strips(first: int, last: int) -> None:
        for top in range(first, last, _STRIP):
            bottom = min(top + _STRIP, last)
            raw = rows[top : bottom + 2 * (_REACH + _MARGIN)]
            roots = np.sqrt(np.maximum(samples[raw] * balance[raw % cfa.period[0]], 0))[:, columns]
            predicted = _predicted(roots, cfa.shifted(top - _MARGIN, -_MARGIN))
            inside = predicted[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN] ** 2 / gain[:, None, None]
            out[top:bottom] = np.moveaxis(np.clip(inside, 0, 1), 0, 2)

    over_rows(strips, height, multiple=_STRIP)
    return out


def _predicted(roots: Floats, cfa: Cfa) -> Floats:
    """Return (3, h, w) R, G, B of the pixels of roots (h + 2 reach, w + 2 reach) but for the borders; cfa: from the first of them on."""
    weights = np.stack([_weights(cfa.shifted(y, x)) for y, x in np.ndindex(*cfa.period)]).reshape(*cfa.period, 4 * _DIRECTIONS, -1)
    period, width = cfa.period[1], roots.shape[1]
    columns = np.minimum(np.arange(period * (-(-width // period) + 2)), width - 1)  # whole periods; the last ones are not used
    planes = np.ascontiguousarray(roots[:, columns].reshape(len(roots), -1, period).swapaxes(1, 2))
    values = np.empty((4 * _DIRECTIONS, len(roots) - 2 * _REACH, width - 2 * _REACH), np.float32)
    pattern_loops.predict(planes, weights, values)
    found = values.reshape(_DIRECTIONS, 4, *values.shape[1:])
    errors = np.stack([cv2.GaussianBlur(error**2, (0, 0), _AROUND_PX) for error in found[:, 3]]) + np.float32(1e-12)
    shares = (errors.min(axis=0) / errors) ** np.float32(_SHARPNESS)
    return np.asarray((found[:, :3] * shares[:, None]).sum(axis=0) / shares.sum(axis=0), np.float32)


@lru_cache(maxsize=256)
def _weights(cfa: Cfa) -> Floats:
    """Return (4 directions x 4 values, samples): weights of the samples around the first site for its R, G, B and standardised prediction error."""
    offsets = np.array(list(np.ndindex(pattern_loops.SIDE, pattern_loops.SIDE)), np.float64) - _REACH
    channels = np.array([cfa.channel(int(y), int(x)) for y, x in offsets])
    centre, found = len(offsets) // 2, []
    for k in range(_DIRECTIONS):
        luma, colour = _covariances(offsets[:, None] - offsets, np.pi * k / _DIRECTIONS)
        alike = (channels[:, None] == channels) & (channels != GREEN)
        inverse = np.linalg.inv(luma + colour * alike + _NOISE * np.eye(len(offsets)))
        targets = [luma[centre] + colour[centre] * ((channels == c) & (c != GREEN)) for c in range(3)]
        found += [target @ inverse for target in targets] + [inverse[centre] / np.sqrt(inverse[centre, centre])]
    return np.asarray(found, np.float32)


def _covariances(d: Doubles, angle: float) -> tuple[Doubles, Doubles]:
    """Return covariances of luma and of a colour difference at distances d (..., 2)."""
    along, across = d @ (np.sin(angle), np.cos(angle)), d @ (np.cos(angle), -np.sin(angle))
    luma = np.exp(-np.hypot(along / _ALONG_PX, across / _ACROSS_PX))
    colour = _COLOUR_VARIANCE * np.exp(-0.5 * (d**2).sum(axis=-1) / _COLOUR_PX**2)
    return luma + _MEAN_VARIANCE[0], colour + _MEAN_VARIANCE[1]
