"""Photometry: what a merged burst makes of the flux of stars, against the truth.

    python -m benchmarks.photometry [--mode fast|best] [--scale 2] [--fwhm 2.5] [--frames 10] [--seeds 4] [--moffat BETA] [--hot PERCENT]
        [--set stage.key=value]...

Stars of known flux on a flat sky, moved by random parts of a pixel from frame to frame, with shot and read noise. Their flux is measured in apertures of 3 FWHM
radius less the mean of the ring around, in the result and in the noise-free scene at its scale. Shares nothing with the simulator of photographs: pixels
integrate the star's profile itself.
With --hot that share of the pixels is hot in every frame, and known: what their repair costs is the difference from a run without.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise
from burstsr.pipeline import super_resolve
from burstsr.settings import Settings, read_settings

Array = NDArray[np.float64]
NEUTRAL = np.array([0.5, 1.0, 0.625])  # camera RGB of a white star, and of the sky
SNRS = (10.0, 20.0, 50.0, 120.0)  # of a star's flux in green, by a matched filter on the whole burst
_LEVELS = Levels(np.full((2, 2), 1024.0), 65535.0)
_REACH = 4.5  # FWHM around a star within which it has light
_HOT_LEVEL = 60000
_OVERSAMPLING = 8  # of pixels that integrate a Moffat profile


@dataclass(frozen=True)
class Field:
    """Stars on a sky. centres: (n, 2) raw (y, x). fluxes: (n,) in green, in saturations. sky: in green. moffat: beta; 0 = Gaussian stars.

    tints: (n, 3), light of each star in R, G and B over a white star's.
    """

    shape: tuple[int, int]
    centres: Array
    fluxes: Array
    snrs: Array
    fwhm_px: float
    sky: float
    moffat: float
    tints: Array

    def exposed(self, shift: Array, colour: int, side: float = 1.0) -> Array:
        """Expose one colour, (H / side, W / side): the mean over pixels of `side` raw pixels; a star at c falls on c + shift."""
        size = tuple(round(n / side) for n in self.shape)
        out = np.full(size, self.sky)
        reach = int(np.ceil(_REACH * self.fwhm_px / side))
        for centre, flux in zip(self.centres, self.fluxes * self.tints[:, colour], strict=True):
            place = (centre + shift + 0.5) / side - 0.5
            first = np.round(place).astype(int) - reach
            low, high = np.maximum(first, 0), np.minimum(first + 2 * reach + 1, size)
            if (low < high).all():
                y, x = (np.arange(a, b) - p for a, b, p in zip(low, high, place, strict=True))
                out[low[0] : high[0], low[1] : high[1]] += flux * self._profile(y * side, x * side, side) / side**2
        return np.asarray(out * NEUTRAL[colour])

    def _profile(self, y: Array, x: Array, side: float) -> Array:
        """Return the share of a star's flux in pixels of `side` at distance y, x from its centre."""
        if self.moffat == 0:
            sigma = self.fwhm_px / 2.3548
            parts = [0.5 * (special.erf((v + side / 2) / sigma / 2**0.5) - special.erf((v - side / 2) / sigma / 2**0.5)) for v in (y, x)]
            return np.asarray(parts[0][:, None] * parts[1][None])
        alpha = self.fwhm_px / (2 * np.sqrt(2 ** (1 / self.moffat) - 1))
        inner = ((np.arange(_OVERSAMPLING) + 0.5) / _OVERSAMPLING - 0.5) * side
        r2 = ((y[:, None] + inner) ** 2)[:, :, None, None] + ((x[:, None] + inner) ** 2)[None, None]
        density = (self.moffat - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -self.moffat
        return np.asarray(density.mean((1, 3)) * side**2)


def field_of(rng: np.random.Generator, noise: Noise, frames: int, fwhm_px: float, sky: float, shape: tuple[int, int], moffat: float = 0.0) -> Field:
    """Return a field of stars of the `SNRS`, white, red and blue, on a loose grid."""
    apart = int(np.ceil(10 * fwhm_px + 4))
    grid = np.stack(np.meshgrid(*(np.arange(apart // 2 + 4, n - apart // 2 - 3, apart) for n in shape), indexing="ij"), -1).reshape(-1, 2)
    centres = grid + rng.uniform(-1.5, 1.5, grid.shape)
    snrs = rng.permutation(np.resize(SNRS, len(centres)))
    unit = Field((41, 41), np.array([[20.0, 20.0]]), np.ones(1), np.ones(1), fwhm_px, 0.0, moffat, np.ones((1, 3))).exposed(np.zeros(2), 1)
    fluxes = np.array([_flux(snr, unit, sky, noise, frames) for snr in snrs])
    tints = rng.permutation(np.resize([[1, 1, 1], [1.6, 1, 0.6], [0.6, 1, 1.6]], (len(centres), 3)))
    return Field(shape, centres, fluxes, snrs, fwhm_px, sky, moffat, tints)


def _flux(snr: float, profile: Array, sky: float, noise: Noise, frames: int) -> float:
    """Return the flux whose matched filter on half of all pixels has `snr`, by bisection."""
    low, high = 1e-9, 1e6
    for _ in range(80):
        middle = np.sqrt(low * high)
        variance = noise.alpha[1] * (sky + middle * profile) + noise.beta[1]
        low, high = (middle, high) if np.sqrt(frames / 2 * ((middle * profile) ** 2 / variance).sum()) < snr else (low, middle)
    return float(low)


def burst_of(field: Field, noise: Noise, frames: int, rng: np.random.Generator) -> tuple[Burst, list[Array]]:
    """Simulate frames of a field, and their shifts: the first unmoved, the others by up to 3 pixels."""
    cfa = Cfa.parse("RGGB")
    mask = cfa.channel_map((field.shape[0], field.shape[1]))
    made, shifts = [], [rng.uniform(-3, 3, 2) if n else np.zeros(2) for n in range(frames)]
    for n, shift in enumerate(shifts):
        clean = np.choose(mask, [field.exposed(shift, c) for c in range(3)])
        samples = noise.alpha[mask] * rng.poisson(clean / noise.alpha[mask]) + np.sqrt(noise.beta[mask]) * rng.standard_normal(clean.shape)
        mosaic = np.clip(np.rint(1024 + np.minimum(samples, 1) * (65535 - 1024)), 0, 65535).astype(np.uint16)
        made.append(Frame(FrameInfo(Path(f"frame_{n:03d}"), field.shape, cfa, _LEVELS, Colour(NEUTRAL), noise=noise), mosaic))
    return Burst("stars", tuple(made)), shifts


def direct_fluxes(field: Field, burst: Burst, shifts: Sequence[Array]) -> Array:
    """Measure (3, n) fluxes on the samples with known motion: mean per colour within each star's aperture, minus that of the ring, times area."""
    radii = np.array([3, 3.3, 4.8]) * field.fwhm_px
    mask = burst.info.cfa.channel_map((field.shape[0], field.shape[1]))
    sums = np.zeros((3, len(field.centres), 4))
    reach = int(np.ceil(radii[2])) + 1
    for frame, shift in zip(burst, shifts, strict=True):
        samples = (frame.mosaic - 1024.0) / (65535 - 1024)
        for k, (y, x) in enumerate(field.centres + shift):
            low = np.maximum(np.array([round(y), round(x)]) - reach, 0)
            cut = slice(low[0], round(y) + reach + 1), slice(low[1], round(x) + reach + 1)
            r = np.hypot(*(np.mgrid[cut] - np.array([y, x])[:, None, None]))
            around = (r >= radii[1]) & (r <= radii[2])
            for c in range(3):
                own = mask[cut] == c
                inside = np.clip(radii[0] + 0.5 - r, 0, 1) * own
                sums[c, k] += inside.sum(), (inside * samples[cut]).sum(), (around & own).sum(), samples[cut][around & own].sum()
    area = np.pi * (radii[0] ** 2 + 1 / 12)
    return np.asarray(area * (sums[..., 1] / sums[..., 0] - sums[..., 3] / sums[..., 2]))


def aperture_fluxes(plane: Array, centres: Array, radius: float, ring: tuple[float, float]) -> Array:
    """Sum within `radius` of each centre minus the mean of the ring around it; pixels at the border are weighted by their approximate share."""
    found = []
    for y, x in centres:
        reach = int(np.ceil(ring[1])) + 1
        low = np.maximum(np.array([round(y), round(x)]) - reach, 0)
        cut = plane[low[0] : round(y) + reach + 1, low[1] : round(x) + reach + 1]
        r = np.hypot(*(np.mgrid[: cut.shape[0], : cut.shape[1]] + (low - (y, x))[:, None, None]))
        inside = np.clip(radius + 0.5 - r, 0, 1)
        around = (r >= ring[0]) & (r <= ring[1])
        found.append(float((inside * (cut - cut[around].mean())).sum()))
    return np.array(found)


def flux_errors(field: Field, image: NDArray[np.floating], direct: Array, scale: float) -> dict[float, Array]:
    """Return per SNR the (3, n) excess of each star's flux in R, G and B over that of the samples, relative to the noise-free scene."""
    width = field.fwhm_px * scale
    where = ((field.centres + 0.5) * scale - 0.5, 3 * width, (3.3 * width, 4.8 * width))
    errors = []
    for c in range(3):
        own = aperture_fluxes(field.exposed(np.zeros(2), c, 1 / scale), *where)
        errors.append((aperture_fluxes(image[..., c].astype(np.float64), *where) - direct[c] * scale**2) / own)
    return {snr: np.stack(errors)[:, field.snrs == snr] for snr in SNRS if (field.snrs == snr).any()}


def with_hot_pixels(burst: Burst, share: float, rng: np.random.Generator) -> tuple[Burst, NDArray[np.int64] | None]:
    """Return a burst with a share of its pixels near saturation in every frame, and their places (n, 2); None without any."""
    if share == 0:
        return burst, None
    hot = np.argwhere(rng.random(burst.info.shape) < share)
    mosaics = [frame.mosaic.copy() for frame in burst]
    for mosaic in mosaics:
        mosaic[tuple(hot.T)] = _HOT_LEVEL
    return Burst(burst.name, tuple(frame.with_mosaic(mosaic) for frame, mosaic in zip(burst, mosaics, strict=True))), hot


def measured(settings: Settings, args: argparse.Namespace) -> dict[float, Array]:
    """Return per SNR (3, n) errors over all seeds."""
    found: dict[float, list[Array]] = {snr: [] for snr in SNRS}
    noise = Noise.of_iso(args.iso)
    for seed in range(args.seeds):
        rng = np.random.default_rng(seed)
        field = field_of(rng, noise, args.frames, args.fwhm, args.sky, (args.side, args.side), args.moffat)
        burst, shifts = burst_of(field, noise, args.frames, rng)
        shown, hot = with_hot_pixels(burst, args.hot / 100, rng)
        image = super_resolve(shown, settings, bad_pixels=hot).image
        for snr, errors in flux_errors(field, image, direct_fluxes(field, burst, shifts), settings.scale).items():
            found[snr].append(errors)
    return {snr: np.concatenate(errors, axis=1) for snr, errors in found.items() if errors}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the mean flux error per SNR of stars, with its standard error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photometry", description="Flux of stars after a merge, against the truth.")
    parser.add_argument("--mode", choices=("fast", "best"), default="fast")
    for name, default in (("scale", 2.0), ("fwhm", 2.5), ("moffat", 0.0), ("hot", 0.0), ("sky", 0.02), ("iso", 400.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    for name, default in (("frames", 10), ("seeds", 4), ("side", 240)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.KEY=VALUE")
    args = parser.parse_args(arguments)
    settings = read_settings(Settings(scale=args.scale, mode=args.mode, reference=0), assignments=args.set)
    sys.stdout.write("  SNR  stars  red, green, blue: error of flux in %\n")
    for snr, errors in measured(settings, args).items():
        mean, scatter = errors.mean(1), errors.std(1) / np.sqrt(errors.shape[1])
        figures = "  ".join(f"{100 * m:+6.2f} +- {100 * e:.2f}" for m, e in zip(mean, scatter, strict=True))
        sys.stdout.write(f"{snr:5.0f}  {errors.shape[1]:5d}  {figures}\n")


if __name__ == "__main__":
    main()
