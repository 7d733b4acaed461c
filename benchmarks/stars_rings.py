"""Dark rings around stars: the azimuthal mean of a star, and how far it falls below the sky. Sharpening that overshoots shows here first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_REACH = 4.0  # widths (FWHM) from the star to which its profile goes
_SKY = (4.0, 6.0)  # widths between which the sky around it is taken
_STEP = 1.0  # pixels along a bin of the profile
_PLACES, _TRIES, _FEWEST = 200, 4000, 20  # places without a star at which noise is measured: wanted, tried, needed
_EMPTY = 6.0  # deviations of a pixel that no pixel of an empty place exceeds


def rings(flat: Floats, centres: Sequence[tuple[float, float]], width: float) -> dict[str, float | int | None]:
    """Darkest rings of stars in `flat` (h, w), an image above its background.

    centres: (y, x) of stars. width: full width at half maximum, pixels. Of each star's profile the lowest value: as a share of the star's peak, and in
    deviations that the same mean has where no star is; medians over stars, and the worst. Negative = darker than the sky; from noise alone some -2
    deviations, the lowest of many bins. None where there are no stars, or too few empty places.
    """
    profiles = [found for centre in centres if (found := profile(flat, centre, width)) is not None]
    if not profiles:
        return {"stars": 0, "peak_median": None, "peak_worst": None, "noise_median": None, "noise_worst": None, "radius_px": None}
    noise = sky_noise(flat, centres, width)
    values = np.array(profiles)
    lowest = values.min(axis=1) / values.max(axis=1)
    in_noise = None if noise is None else (values / noise).min(axis=1)
    return {
        "stars": len(values),
        "peak_median": float(np.median(lowest)),
        "peak_worst": float(lowest.min()),
        "noise_median": None if in_noise is None else float(np.median(in_noise)),
        "noise_worst": None if in_noise is None else float(in_noise.min()),
        "radius_px": float((np.argmin(np.median(values / values.max(axis=1, keepdims=True), axis=0)) + 0.5) * _STEP),  # of the median profile's lowest bin
    }


def profile(flat: Floats, centre: tuple[float, float], width: float) -> NDArray[np.float64] | None:
    """Means over rings of _STEP pixels around `centre`, from it to _REACH widths, less the median of the sky around; None too near the border."""
    reach = int(np.ceil(_SKY[1] * width)) + 1
    y, x = (round(place) for place in centre)
    if min(y, x) < reach or y + reach >= flat.shape[0] or x + reach >= flat.shape[1]:
        return None
    cut = flat[y - reach : y + reach + 1, x - reach : x + reach + 1].astype(np.float64)
    gy, gx = np.meshgrid(np.arange(y - reach, y + reach + 1) - centre[0], np.arange(x - reach, x + reach + 1) - centre[1], indexing="ij")
    radius = np.hypot(gy, gx)
    sky = np.median(cut[(radius >= _SKY[0] * width) & (radius < _SKY[1] * width)])
    index = (radius / _STEP).astype(int)
    bins = int(_REACH * width / _STEP)
    inside = index < bins
    sums, counts = (np.bincount(index[inside], weights, bins) for weights in (cut[inside], None))
    return np.asarray(sums / np.maximum(counts, 1) - sky)


def sky_noise(flat: Floats, centres: Sequence[tuple[float, float]], width: float, seed: int = 0) -> NDArray[np.float64] | None:
    """Deviation of `profile` at places without stars, per bin: neighbouring pixels share noise, so that it cannot be computed from one pixel's."""
    generator = np.random.default_rng(seed)
    reach = int(np.ceil(_SKY[1] * width)) + 1
    if min(flat.shape) <= 2 * reach + 1:
        return None
    limit = _EMPTY * 1.4826 * float(np.median(np.abs(flat - np.median(flat))))
    stars = np.array(centres)
    found: list[NDArray[np.float64]] = []
    for _ in range(_TRIES):
        y, x = (generator.uniform(reach + 1, length - reach - 1) for length in flat.shape)
        cut = flat[int(y) - reach : int(y) + reach + 1, int(x) - reach : int(x) + reach + 1]
        near = len(stars) > 0 and np.hypot(*(stars - (y, x)).T).min() < 2 * _SKY[1] * width
        if not near and float(cut.max()) - float(np.median(cut)) < limit and (empty := profile(flat, (y, x), width)) is not None:
            found.append(empty)
        if len(found) == _PLACES:
            break
    if len(found) < _FEWEST:
        return None
    return np.asarray(1.4826 * np.median(np.abs(np.array(found)), axis=0))
