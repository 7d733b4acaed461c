"""Lens blur and MTF from a slanted edge (ISO 12233:2017, annex D), on raw samples without demosaicing.

The edge crosses the sampling grid at a small angle, so that samples near it have all distances from it, finer than pixels. Their values over distance
are the edge spread function; its derivative is the line spread function, whose Fourier transform is the MTF. The sigma of the blur is the fit of the
edge spread function of a Gaussian lens with square pixels to all samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import ndtr

from burstsr.core.burst import Frame
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import cells, samples
from burstsr.profiles.records import EDGE, LensRecord, now, triple
from calibration.edge_search import find_line

Doubles = NDArray[np.float64]
_REACH_PX = 12.0  # from the edge
_OVERSAMPLED = 4  # bins per pixel across the edge
ANGLES_DEG = (2.0, 43.0)  # degrees off the nearer axis
_LEAST_STEP = 0.02  # between the two sides, 1 = saturation
_STRAIGHT = 0.1  # of the step: residual beyond noise above which it is not a single straight edge
_OUTLIER = 0.2, 3.0  # residuals above which samples count less: of the step, and in noise sigmas
_PARTS, _FEWEST = 8, 6  # parts along the edge whose residuals are averaged, and samples in one of a pixel's width
_CLIPPED = 0.98
_THINNEST = 1e-3  # pixels: narrower boxes are points


@dataclass(frozen=True)
class Edge:
    """One channel of one frame. angle_rad and offset_px: x = offset + tan(angle) y about the centre of the part, or of the transposed part; offset_error_px:
    of the offset. sigma_px and its error. distance and share: of samples, share 0 on one side and 1 on the other.
    """

    angle_rad: float
    offset_px: float
    offset_error_px: float
    transposed: bool
    sigma_px: float
    error_px: float
    distance: Doubles
    share: Doubles


def psf_from_edge(frames: Sequence[Frame], roi: tuple[int, int, int, int] | None = None) -> LensRecord:
    """Measure blur and MTF from one or more frames of an edge; roi: x, y, width, height of the part with the edge.

    Raises SettingsError for a part outside the frame, or without a single straight edge at 2 to 43 degrees off the rows or columns.
    """
    if not frames:
        raise BurstError("no frames of an edge")
    info = frames[0].info
    found: list[list[Edge]] = [[], [], []]
    for frame in frames:
        for channel, edge in enumerate(edges_of(frame, roi)):
            found[channel].append(edge)
    sigmas = np.array([[edge.sigma_px for edge in channel] for channel in found])
    errors = np.array([[edge.error_px for edge in channel] for channel in found])
    green = found[1]
    frequency, mtf, mtf50 = mtf_of(green)
    spread = float(sigmas[1].std(ddof=1)) / np.sqrt(len(frames)) if len(frames) > 2 else 0.0
    return LensRecord(
        camera=info.camera,
        iso=info.iso,
        date=now(),
        method=EDGE,
        psf_sigma_px=float(sigmas[1].mean()),
        psf_sigma_error_px=max(float(np.sqrt((errors[1] ** 2).sum())) / len(frames), spread),
        psf_sigma_rgb_px=triple(sigmas.mean(axis=1)),
        mtf50=mtf50,
        frequency=tuple(map(float, frequency)),
        mtf=tuple(map(float, mtf)),
        edge_deg=float(np.degrees(np.mean([abs(e.angle_rad) for e in green]))),
        aperture=info.aperture or None,
        focal_mm=info.focal_mm or None,
    )


def edge_spread(distance: Doubles, sigma: float, angle: float) -> Doubles:
    """Return the response, 0 to 1, of a pixel at `distance` (raw pixels, towards the bright side) to a step at `angle` (radians off the rows or columns).

    A Gaussian of standard deviation sigma, integrated over the pixel's unit square: across the edge that is two boxes, of widths cos and sin of the angle.
    """
    a, b = abs(float(np.cos(angle))), abs(float(np.sin(angle)))
    sigma = max(sigma, 1e-3)
    if b < _THINNEST:
        return np.asarray((_first(distance + a / 2, sigma) - _first(distance - a / 2, sigma)) / a)
    far, near = (a + b) / 2, (a - b) / 2
    total = _second(distance + far, sigma) - _second(distance + near, sigma) - _second(distance - near, sigma) + _second(distance - far, sigma)
    return np.asarray(total / (a * b))


def _first(x: Doubles, sigma: float) -> Doubles:
    """Return the antiderivative of the normal distribution function."""
    return np.asarray(x * ndtr(x / sigma) + sigma * np.exp(-0.5 * (x / sigma) ** 2) / np.sqrt(2 * np.pi))


def _second(x: Doubles, sigma: float) -> Doubles:
    """Return the antiderivative of `_first`."""
    density = np.exp(-0.5 * (x / sigma) ** 2) / np.sqrt(2 * np.pi)
    return np.asarray(0.5 * ((x * x + sigma * sigma) * ndtr(x / sigma) + x * sigma * density))


def edges_of(frame: Frame, roi: tuple[int, int, int, int] | None) -> list[Edge]:
    """Fit the edge in red, green and blue; of a monochrome sensor its one channel, thrice. Raises SettingsError where there is no single straight edge."""
    height, width = frame.info.shape
    asked = roi or (0, 0, width, height)
    x0, y0, w, h = (v // 2 * 2 for v in asked)
    if x0 + w > width or y0 + h > height:
        raise SettingsError(f"--roi must be inside the {width} x {height} pixels of {frame.info.path}, not {','.join(map(str, asked))}")
    x = samples(frame.mosaic, frame.info.levels)[y0 : y0 + h, x0 : x0 + w].astype(np.float64)
    grey = cells(as_bayer(frame))[y0 // 2 : (y0 + h) // 2, x0 // 2 : (x0 + w) // 2, 1].astype(np.float64)
    colours = frame.info.cfa.channel_map((h, w), (y0, x0))
    found = find_line(grey)
    line = (found.slope, 2 * found.offset)
    if found.transposed:
        x, colours = x.T, colours.T
    y, across = np.meshgrid(*(np.arange(n, dtype=np.float64) for n in x.shape), indexing="ij")
    y -= (x.shape[0] - 1) / 2
    across -= (x.shape[1] - 1) / 2
    near = np.abs((across - line[0] * y - line[1]) * (1 / np.hypot(1, line[0]))) <= _REACH_PX
    channels = (0,) if frame.info.cfa.is_mono else (0, 1, 2)
    edges = [
        replace(_fitted(x[mine], y[mine], across[mine], line, frame), transposed=found.transposed)
        for mine in (near & (colours == channel) for channel in channels)
    ]
    return edges * (3 // len(edges))


def _fitted(values: Doubles, rows: Doubles, columns: Doubles, line: tuple[float, float], frame: Frame) -> Edge:
    """Angle, position, levels and blur of the edge, from all samples of a channel near it: (n,) values, and where they are about the centre of the part."""
    gradient, offset = line
    first = (columns - gradient * rows - offset) * (1 / np.hypot(1, gradient))
    sides = [float(np.median(values[first * side > _REACH_PX / 2])) if (first * side > _REACH_PX / 2).any() else 0.0 for side in (-1, 1)]
    step = sides[1] - sides[0]
    if abs(step) < _LEAST_STEP or max(sides) > _CLIPPED:
        raise SettingsError(
            f"{frame.info.path}: levels on both sides of the edge are {sides[0]:.3f} and {sides[1]:.3f}; they must differ by {_LEAST_STEP} and be unsaturated"
        )

    def distance(p: Doubles) -> Doubles:
        return np.asarray((columns - p[0] * rows - p[1]) / np.hypot(1, p[0]))

    def misfit(p: Doubles) -> Doubles:
        return np.asarray((p[3] + p[4] * edge_spread(distance(p), float(p[2]), float(np.arctan(p[0]))) - values) / step)

    start = np.array([gradient, offset, 0.6, sides[0], step])
    limits = (np.array([-np.inf, -np.inf, 1e-3, -np.inf, -np.inf]), np.full(5, np.inf))
    beside = np.abs(first) > _REACH_PX / 2
    noise = 1.4826 * float(np.median(np.abs(values - np.where(first > 0, sides[1], sides[0]))[beside]))
    scale = max(_OUTLIER[0], _OUTLIER[1] * noise / abs(step))
    result = least_squares(misfit, start, bounds=limits, x_scale=[0.01, 0.1, 0.1, abs(step), abs(step)], loss="soft_l1", f_scale=scale)
    deviation = float(np.std(result.fun))
    angle = float(np.arctan(result.x[0]))
    unexplained = _unexplained(result.fun, distance(result.x), rows)
    if unexplained > _STRAIGHT:
        raise SettingsError(f"{frame.info.path}: not a single straight edge (residual {unexplained:.2f} of the step); select one with --roi")
    if not ANGLES_DEG[0] <= abs(np.degrees(angle)) <= ANGLES_DEG[1]:
        found = f"the edge is {abs(np.degrees(angle)):.1f} degrees off the rows or columns"
        raise SettingsError(f"{frame.info.path}: {found}; must be between {ANGLES_DEG[0]:g} and {ANGLES_DEG[1]:g}")
    covariance = np.linalg.pinv(result.jac.T @ result.jac) * deviation**2
    share = (values - result.x[3]) / result.x[4]
    errors = np.sqrt(np.diag(covariance))
    return Edge(angle, float(result.x[1]), float(errors[1]), False, float(result.x[2]), float(errors[2]), distance(result.x) * np.sign(result.x[4]), share)


def _unexplained(residual: Doubles, distance: Doubles, rows: Doubles) -> float:
    """Return the standard deviation of residuals (n,) beyond their noise: that of their means over parts along and across the edge."""
    along = np.minimum((rows - rows.min()) / max(float(np.ptp(rows)), 1.0) * _PARTS, _PARTS - 1).astype(int)
    part = along * 2 * int(_REACH_PX + 1) + np.floor(np.clip(distance, -_REACH_PX, _REACH_PX) + _REACH_PX).astype(int)
    count, total, square = (np.bincount(part, weights) for weights in (None, residual, residual**2))
    use = count >= _FEWEST
    if not use.any():
        return float(np.std(residual))
    mean = total[use] / count[use]
    chance = np.maximum(square[use] / count[use] - mean**2, 0) / (count[use] - 1)
    return float(np.sqrt(max(float(np.average(mean**2 - chance, weights=count[use])), 0.0)))


def mtf_of(edges: Sequence[Edge]) -> tuple[Doubles, Doubles, float | None]:
    """Return frequencies (cycles per raw pixel, to 1), contrast at them, and the frequency of half contrast, from all samples of edges."""
    distance, share = np.concatenate([e.distance for e in edges]), np.concatenate([e.share for e in edges])
    count = int(2 * _REACH_PX * _OVERSAMPLED)
    index = np.floor((distance + _REACH_PX) * _OVERSAMPLED).astype(int)
    inside = (index >= 0) & (index < count)
    number = np.bincount(index[inside], minlength=count)
    sums = np.bincount(index[inside], share[inside], count)
    known = number > 0
    profile = np.interp(np.arange(count), np.flatnonzero(known), sums[known] / number[known])
    spread = np.gradient(profile) * np.hamming(count)
    contrast = np.abs(np.fft.rfft(spread, 8 * count))
    frequency = np.fft.rfftfreq(8 * count, 1 / _OVERSAMPLED)
    step = 2 / _OVERSAMPLED  # correction for the difference over two bins and the width of the bins (ISO 12233, D.5)
    contrast = contrast / contrast[0] / np.maximum(np.sinc(frequency * step) * np.sinc(frequency / _OVERSAMPLED), 0.1)
    shown = frequency <= 1.0
    hertz: Doubles = np.asarray(frequency[shown], np.float64)
    contrast = contrast[shown]
    below = np.flatnonzero(contrast < 0.5)
    if below.size == 0:
        return hertz[::4], contrast[::4], None
    k = int(below[0])
    part = (contrast[k - 1] - 0.5) / max(contrast[k - 1] - contrast[k], 1e-9)
    return hertz[::4], contrast[::4], float(hertz[k - 1] + part * (hertz[k] - hertz[k - 1]))
