"""Blur and lateral chromatic aberration over the field: slanted edges at many places of a chart.

Where windows show a single edge at 2 to 43 degrees off the axes, it is fitted as `slanted_edge` does, each colour by itself. Edges of red and blue are
displaced along their normal by what the aberration displaces: two numbers per colour fit all of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import cells
from burstsr.profiles.records import EDGE, LensRecord, now, triple
from calibration.slanted_edge import ANGLES_DEG, edges_of, mtf_of

Doubles = NDArray[np.float64]
Window = tuple[int, int, int, int]
WINDOW_PX = 48
_ZONES = (5, 7)  # of the frame, along y and x, in each of which edges are sought
_LEAST_ZONE = 1.5  # of a window: least side of a zone
_TRIES, _PER_ZONE = 4, 2  # windows that are tried in a zone, and edges that suffice
_LEAST_CONTRAST = 0.1  # of the steepest windows
_LEAST_COHERENCE = 0.8  # of gradients: 1 where all have one direction
_FEWEST = 3  # places
_WORST_ERROR_PX = 0.15  # of a sigma that is used
_FEWEST_FOR_K1 = 8  # displacements for the term of third order
_DISPLACEMENT_ERROR_PX = 0.005  # least standard error of a displacement
_SIGNIFICANT, _LEAST_CORNER_PX = 3.0, 0.05  # standard errors of the displacement in the corners, and pixels, below which it is recorded as none
_WORST_CORNER_PX = 0.1  # standard error in the corners above which the aberration is not recorded


class Place(NamedTuple):
    """An edge. y, x: its middle, raw pixels. sigma: of R, G, B; error: of green's.

    displaced: of red and blue against green, raw pixels along normal (y, x).
    """

    y: float
    x: float
    sigma: tuple[float, float, float]
    error: float
    mtf50: float | None
    angle_deg: float
    normal: tuple[float, float]
    displaced: tuple[float, float]
    displaced_error: tuple[float, float]


def lens_over_field(frames: Sequence[Frame], window_px: int = WINDOW_PX) -> LensRecord:
    """Measure frames of a chart with slanted edges (squares, stars) all over the field, windows of `window_px` raw pixels.

    The blur of the record is the median over places; its error includes how the places differ. Raises BurstError for no frames,
    SettingsError where fewer than three places show an edge.
    """
    if not frames:
        raise BurstError("no frames of a chart")
    places: list[Place] = []
    for frame in frames:
        for windows in _windows(frame, window_px):
            found = (place for window in windows if (place := _place(frame, window)) is not None)
            places += itertools.islice(found, _PER_ZONE)
    places = _separate(places, window_px)
    if len(places) < _FEWEST:
        shown = f"{len(places)} places with a single slanted edge, of at least {_FEWEST}"
        raise SettingsError(f"{frames[0].info.path}: {shown}; the chart needs edges at {ANGLES_DEG[0]:g} to {ANGLES_DEG[1]:g} degrees all over the frame")
    info, sigma = frames[0].info, np.array([place.sigma for place in places])
    middle = np.median(sigma, axis=0)
    spread = 1.4826 * float(np.median(np.abs(sigma[:, 1] - middle[1])))
    red, blue = (None, None) if info.cfa.is_mono else (lateral_of(places, k, info.shape) for k in (0, 1))
    return LensRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method=EDGE,
        psf_sigma_px=float(middle[1]),
        psf_sigma_error_px=float(np.hypot(spread, np.median([place.error for place in places]))),
        psf_sigma_rgb_px=triple(middle),
        lateral_red=red,
        lateral_blue=blue,
        mtf50=_median([place.mtf50 for place in places]),
        places=tuple(_as_dict(place) for place in places),
        aperture=info.aperture or None,
        focal_mm=info.focal_mm or None,
    )


def lateral_of(places: Sequence[Place], colour: int, shape: tuple[int, int]) -> tuple[float, float] | None:
    """Return k0 and k1 of red (0) or blue (1), from displacements of edges; None where the corners are uncertain by more than 0.1 px; zeros for none.

    With few places only k0. Robust least squares of n . (p - q) = -(k0 + k1 rho^2) n . (p - c).
    """
    centre, radius = (np.array(shape) - 1) / 2, math.hypot(*shape) / 2
    away = np.array([[place.y, place.x] for place in places]) - centre
    along = (np.array([place.normal for place in places]) * away).sum(axis=1)
    rho2 = (away**2).sum(axis=1) / radius**2
    seen = np.array([place.displaced[colour] for place in places])
    error = np.maximum([place.displaced_error[colour] for place in places], _DISPLACEMENT_ERROR_PX)
    terms = 2 if len(places) >= _FEWEST_FOR_K1 else 1
    design, weight = -np.stack([along, along * rho2], axis=1)[:, :terms], 1 / error
    k = np.zeros(terms)
    for _ in range(10):
        rows = design * weight[:, None]
        k = np.linalg.lstsq(rows, seen * weight, rcond=None)[0]
        left = (seen - design @ k) / error
        weight = 1 / (error * np.sqrt(1 + (left / 3) ** 2))
    excess = max(float((weight * error * left) @ (weight * error * left)) / max(len(places) - terms, 1), 1.0)
    corner = np.full(terms, radius)
    uncertain = float(np.sqrt(corner @ np.linalg.pinv(rows.T @ rows) @ corner * excess))
    if uncertain > _WORST_CORNER_PX:
        return None
    if abs(float(corner @ k)) < max(_SIGNIFICANT * uncertain, _LEAST_CORNER_PX):
        return 0.0, 0.0
    return float(k[0]), float(k[1]) if terms > 1 else 0.0


def _windows(frame: Frame, window_px: int) -> Iterator[list[Window]]:
    """Yield, by zone, windows x, y, width, height that seem to show one slanted edge: those with the strongest gradients of one direction."""
    green = cells(as_bayer(frame))[..., 1]
    side = window_px // 2
    dy, dx = (cv2.Sobel(cv2.GaussianBlur(green, (0, 0), 1.5), cv2.CV_32F, *order, ksize=3) for order in ((0, 1), (1, 0)))
    yy, xx, yx = (cv2.boxFilter(v, cv2.CV_32F, (side, side)) for v in (dy * dy, dx * dx, dy * dx))
    energy, split = yy + xx, np.hypot(xx - yy, 2 * yx)
    angle = np.abs(np.degrees(np.arctan2(2 * yx, xx - yy)) / 2)  # of the normal against the x axis, 0 to 90
    off = np.minimum(angle, 90 - angle)
    sound = (split > _LEAST_COHERENCE * energy) & (off > ANGLES_DEG[0]) & (off < ANGLES_DEG[1])
    score = np.where(sound, energy, 0)
    score[energy < _LEAST_CONTRAST * float(energy.max(initial=0))] = 0
    half = side // 2
    score[:half], score[-half:], score[:, :half], score[:, -half:] = 0, 0, 0, 0
    zones = [max(1, min(most, int(length / (_LEAST_ZONE * side)))) for most, length in zip(_ZONES, score.shape, strict=True)]
    for rows in np.array_split(np.arange(score.shape[0]), zones[0]):
        for columns in np.array_split(np.arange(score.shape[1]), zones[1]):
            found: list[Window] = []
            zone = score[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
            for _ in range(_TRIES):
                y, x = np.unravel_index(int(np.argmax(zone)), zone.shape)
                if not zone[y, x]:
                    break
                found.append((2 * (int(columns[0] + x) - half), 2 * (int(rows[0] + y) - half), 2 * side, 2 * side))
                zone[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = 0
            yield found


def _place(frame: Frame, window: Window) -> Place | None:
    """Return the edge of a window; None where it is no single one, or too uncertain."""
    try:
        red, green, blue = edges_of(frame, window)
    except SettingsError:
        return None
    if max(green.error_px, (red.error_px + blue.error_px) / 2) > _WORST_ERROR_PX:
        return None
    cos, sin = math.cos(green.angle_rad), math.sin(green.angle_rad)
    middle = np.array([0.0, green.offset_px])  # along and across the edge
    normal = np.array([-sin, cos])
    if green.transposed:
        middle, normal = middle[::-1], normal[::-1]
    top, left = window[1] + (window[3] - 1) / 2, window[0] + (window[2] - 1) / 2
    moved = tuple((edge.offset_px - green.offset_px) * cos for edge in (red, blue))
    errors = tuple(math.hypot(edge.offset_error_px, green.offset_error_px) for edge in (red, blue))
    return Place(
        top + float(middle[0]),
        left + float(middle[1]),
        (red.sigma_px, green.sigma_px, blue.sigma_px),
        green.error_px,
        mtf_of([green])[2],
        math.degrees(abs(green.angle_rad)),
        (float(normal[0]), float(normal[1])),
        (moved[0], moved[1]),
        (errors[0], errors[1]),
    )


def _separate(places: Sequence[Place], window_px: int) -> list[Place]:
    """Return the most certain places, none of which overlaps another by more than half a window."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda p: p.error):
        if all(max(abs(place.y - other.y), abs(place.x - other.x)) >= window_px / 2 for other in kept):
            kept.append(place)
    return sorted(kept)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _as_dict(place: Place) -> dict[str, float]:
    found = {"y_px": place.y, "x_px": place.x, "psf_sigma_px": place.sigma[1], "error_px": place.error, "edge_deg": place.angle_deg}
    found |= {"red_displaced_px": place.displaced[0], "blue_displaced_px": place.displaced[1], "normal_y": place.normal[0], "normal_x": place.normal[1]}
    return {name: round(float(value), 4) for name, value in ({**found, "mtf50": place.mtf50} if place.mtf50 is not None else found).items()}
