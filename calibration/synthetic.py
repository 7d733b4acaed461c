"""Synthetic flat fields, darks and edges of a known camera, for tests and benchmarks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from burstsr.core.burst import Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.lateral import LateralAberration
from burstsr.core.noise import Noise
from burstsr.simulate.sensor import quantised, with_noise

CAMERA = "burstsr simulated"


def flat_frames(
    levels: tuple[float, ...],
    noise: Noise,
    rng: np.random.Generator,
    *,
    frames: int = 2,
    shape: tuple[int, int] = (256, 384),
    black_dn: float = 512.0,
    prnu: float = 0.005,
    row_noise: float = 0.0,
    iso: float = 400.0,
    cfa: str = "RGGB",
) -> list[list[Frame]]:
    """Simulate flat fields at each of `levels` (green, normalised units), `frames` frames each: 14 bits, vignetting of a fifth, PRNU `prnu`.

    Exposure times are proportional to the levels; level 0 is a dark. Red and blue get 0.5 and 0.6 of the exposure of green. row_noise: normalised units.
    """
    info = FrameInfo(
        Path("flat.dng"), shape, Cfa.parse(cfa), Levels(np.full((2, 2), black_dn), 16383.0), Colour(np.array([0.5, 1.0, 0.6])), camera=CAMERA, iso=iso
    )
    y, x = (np.linspace(-1, 1, n) for n in shape)
    light: NDArray[np.float64] = (1 - 0.1 * (y[:, None] ** 2 + x**2)) * (1 + prnu * rng.standard_normal(shape))
    light *= np.array([0.5, 1.0, 0.6])[info.cfa.channel_map(shape)]
    groups = []
    for level in levels:
        clean = (level * light).astype(np.float32)
        described = replace(info, exposure_s=level / 10 if level > 0 else 0.01)
        groups.append([Frame(described, quantised(with_noise(clean, noise, info.cfa, row_noise, rng), info.levels)) for _ in range(frames)])
    return groups


def edge_frames(
    sigma_px: float,
    noise: Noise,
    rng: np.random.Generator,
    *,
    angle_deg: float = 5.0,
    frames: int = 1,
    shape: tuple[int, int] = (160, 160),
    levels: tuple[float, float] = (0.1, 0.6),
    cfa: str = "RGGB",
) -> list[Frame]:
    """Simulate frames of a step from dark to bright, blurred by a Gaussian lens of sigma_px raw pixels, angle_deg off the columns; noise is independent.

    The pixel area is integrated by Gauss-Legendre quadrature. levels: of both sides, white-balanced; red and blue get 0.5 and 0.6 of the exposure of green.
    """
    neutral = np.array([0.5, 1.0, 0.6])
    info = FrameInfo(Path("edge.dng"), shape, Cfa.parse(cfa), Levels(np.full((2, 2), 512.0), 16383.0), Colour(neutral), camera=CAMERA, iso=100)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    angle, place = np.deg2rad(angle_deg), rng.uniform(-0.5, 0.5)
    share: NDArray[np.float64] = np.zeros(shape)
    y, x = (np.arange(n, dtype=np.float64) - (n - 1) / 2 for n in shape)
    for dy, wy in zip(nodes / 2, weights / 2, strict=True):
        for dx, wx in zip(nodes / 2, weights / 2, strict=True):
            distance = (x + dx - place) * np.cos(angle) - (y[:, None] + dy) * np.sin(angle)
            share += wy * wx * (ndtr(distance / sigma_px) if sigma_px > 0 else (distance > 0))
    light = (levels[0] + (levels[1] - levels[0]) * share) * neutral[info.cfa.channel_map(shape)]
    return [Frame(info, quantised(with_noise(light.astype(np.float32), noise, info.cfa, 0.0, rng), info.levels)) for _ in range(frames)]


def chart_frame(
    sigma_px: float,
    noise: Noise,
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (480, 640),
    lateral: LateralAberration | None = None,
    pitch_px: float = 144.0,
    angle_deg: float = 8.0,
) -> Frame:
    """Simulate a chart of dark squares, half of `pitch_px` wide and turned by angle_deg, all over the frame, behind a Gaussian lens of sigma_px raw pixels.

    sigma_px: at the centre; it grows by half towards the corners. lateral: chromatic aberration. RGGB; red and blue get 0.5 and 0.6 of the exposure of green.
    """
    neutral = np.array([0.5, 1.0, 0.6])
    levels = Levels(np.full((2, 2), 512.0), 16383.0)
    info = FrameInfo(Path("chart.dng"), shape, Cfa.parse("RGGB"), levels, Colour(neutral), camera=CAMERA, iso=100)
    channel, centre, radius = info.cfa.channel_map(shape), (np.array(shape) - 1) / 2, float(np.hypot(*shape)) / 2
    k = np.zeros((3, 2)) if lateral is None else np.array([lateral.red, (0.0, 0.0), lateral.blue])
    nodes, weights = np.polynomial.legendre.leggauss(6)
    cos, sin, half = float(np.cos(np.deg2rad(angle_deg))), float(np.sin(np.deg2rad(angle_deg))), pitch_px / 4
    y, x = np.meshgrid(*(np.arange(n, dtype=np.float64) - c for n, c in zip(shape, centre, strict=True)), indexing="ij")
    share: NDArray[np.float64] = np.zeros(shape)
    for dy, wy in zip(nodes / 2, weights / 2, strict=True):
        for dx, wx in zip(nodes / 2, weights / 2, strict=True):
            rho2 = ((y + dy) ** 2 + (x + dx) ** 2) / radius**2
            grown = 1 + k[channel, 0] + k[channel, 1] * rho2
            v, u = ((axis * grown + pitch_px / 2) % pitch_px - pitch_px / 2 for axis in (y + dy, x + dx))
            sigma = sigma_px * (1 + 0.5 * rho2)
            along, across = u * cos + v * sin, v * cos - u * sin
            share += wy * wx * np.prod([ndtr((half - d) / sigma) - ndtr((-half - d) / sigma) for d in (along, across)], axis=0)
    light = (0.6 - 0.5 * share) * neutral[channel]
    return Frame(info, quantised(with_noise(light.astype(np.float32), noise, info.cfa, 0.0, rng), info.levels))
