"""A star field as test chart: noise, star width, and stars lost or doubled, of a merged burst against its reference frame alone; and dark rings.

    python -m benchmarks.stars FOLDER [SCALE] [--mode fast|best]

Stars are found on the reference frame, demosaiced and upscaled; each must be found in the merged image once, at its place. Rings (`stars_rings`): how far
the mean around a star falls below the sky, of the single frame and of both modes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shots import Mode
from benchmarks.stars_rings import rings
from burstsr import Settings, read_burst, super_resolve
from burstsr.align import select_reference
from burstsr.demosaic import demosaic, upscale
from burstsr.noise import estimate_noise as noise_from_burst

Floats = NDArray[np.float32]
_RADIUS = 6  # output pixels at x2 around a star
_DETECT_SIGMA = 12.0
_LONE_PIXEL = 1.2  # raw pixels; what is narrower is no star but a defect of one pixel


@dataclass(frozen=True)
class Star:
    """A fitted star: place (y, x) and full width at half maximum in output pixels, flux above background."""

    y: float
    x: float
    fwhm: float
    flux: float


def green_above_background(image: Floats) -> Floats:
    """(H', W') green less a smooth background (a median over 31 x 31 blocks of 8 pixels)."""
    green = np.ascontiguousarray(image[..., 1])
    small = cv2.resize(green, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    levels = np.clip((small - small.min()) / max(float(np.ptp(small)), 1e-9) * 65535, 0, 65535).astype(np.uint16)
    smooth = cv2.blur(cv2.medianBlur(levels, 5).astype(np.float32), (9, 9)) / 65535 * float(np.ptp(small)) + float(small.min())
    return np.asarray(green - cv2.resize(smooth, (green.shape[1], green.shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def estimate_noise(flat: Floats) -> float:
    """Robust deviation (1.4826 median absolute deviation) of pixels, stars being few."""
    return 1.4826 * float(np.median(np.abs(flat - np.median(flat))))


def coarse_noise_of(flat: Floats, cell: int) -> float:
    """The same of means over cell x cell pixels: upscaling cannot hide noise from it."""
    height, width = (n // cell * cell for n in flat.shape)
    return estimate_noise(flat[:height, :width].reshape(height // cell, cell, width // cell, cell).mean((1, 3)))


def find_stars(flat: Floats, sigma: float, border: int = 48, count: int = 40) -> list[Star]:
    """The brightest `count` local maxima above _DETECT_SIGMA deviations of the smoothed image, fitted."""
    smooth = np.asarray(cv2.GaussianBlur(flat, (0, 0), 1.5), np.float32)
    threshold = _DETECT_SIGMA * min(sigma, estimate_noise(smooth))
    peaks = (smooth == cv2.dilate(smooth, np.ones((4 * _RADIUS + 1, 4 * _RADIUS + 1), np.uint8))) & (smooth > threshold)
    peaks[:border] = peaks[-border:] = False
    peaks[:, :border] = peaks[:, -border:] = False
    places = np.argwhere(peaks)
    order = np.argsort([-smooth[y, x] for y, x in places])
    fitted = [fit_star(flat, int(y), int(x)) for y, x in places[order][:count]]
    return [star for star in fitted if star is not None]


def fit_star(flat: Floats, y: int, x: int) -> Star | None:
    """A round Gaussian by least squares on log flux moments (Gaussian-weighted, iterated); None where it does not converge."""
    r = _RADIUS
    cut = flat[y - r : y + r + 1, x - r : x + r + 1].astype(np.float64)
    if cut.shape != (2 * r + 1, 2 * r + 1):
        return None
    edge = np.concatenate([cut[0], cut[-1], cut[:, 0], cut[:, -1]])
    cut = cut - np.median(edge)
    gy, gx = np.mgrid[-r : r + 1, -r : r + 1].astype(np.float64)
    cy = cx = 0.0
    variance = 4.0
    for _ in range(60):
        weight = np.exp(-0.5 * ((gy - cy) ** 2 + (gx - cx) ** 2) / variance)
        total = float((weight * cut).sum())
        if total <= 0:
            return None
        cy += 2 * float((weight * cut * (gy - cy)).sum()) / total
        cx += 2 * float((weight * cut * (gx - cx)).sum()) / total
        second = float((weight * cut * ((gy - cy) ** 2 + (gx - cx) ** 2)).sum()) / total / 2
        variance = float(np.clip(2 * second, 0.3, 25.0))  # of a Gaussian star, the weighted second moment is half its variance
        if max(abs(cy), abs(cx)) > r / 2:
            return None
    return Star(y + cy, x + cx, 2.3548 * float(np.sqrt(variance)), total)


def chosen_stars(flat: Floats, scale: float) -> list[Star]:
    """The 20 brightest that are no defects of single pixels."""
    return [star for star in find_stars(flat, estimate_noise(flat)) if star.fwhm > _LONE_PIXEL * scale][:20]


def star_rings(images: dict[str, Floats], scale: float) -> dict[str, object]:
    """`rings` around the stars of the image "single", in every image (H', W', 3) of the same place, within the same radii of its own fitted centres."""
    flats = {name: green_above_background(image) for name, image in images.items()}
    stars = chosen_stars(flats["single"], scale)
    if not stars:
        return dict.fromkeys(images)
    width = float(np.median([star.fwhm for star in stars]))
    found: dict[str, object] = {}
    for name, flat in flats.items():
        fitted = [fit_star(flat, round(star.y), round(star.x)) for star in stars]
        found[name] = rings(flat, [(star.y, star.x) for star in fitted if star is not None], width)
    return found


def measure(single: Floats, merged: Floats, scale: float) -> dict[str, object]:
    """All figures, of two images (H', W', 3) of the same place."""
    before, after = green_above_background(single), green_above_background(merged)
    stars = chosen_stars(before, scale)
    pairs = [(star, fit_star(after, round(star.y), round(star.x))) for star in stars]
    kept = [(a, b) for a, b in pairs if b is not None and np.hypot(a.y - b.y, a.x - b.x) < 1.5 * scale]
    ratios = [doubled(after, b) for _, b in kept]
    return {
        "noise_single": estimate_noise(before),
        "noise_merged": estimate_noise(after),
        "noise_ratio": estimate_noise(before) / estimate_noise(after),
        "coarse_noise_ratio": coarse_noise_of(before, 8) / coarse_noise_of(after, 8),
        "stars": len(stars),
        "lost": len(stars) - len(kept),
        "doubled": sum(ratio > 0.3 for ratio in ratios),
        "fwhm_single_px": float(np.median([a.fwhm for a, _ in kept])) / scale,
        "fwhm_merged_px": float(np.median([b.fwhm for _, b in kept])) / scale,
        "flux_ratio": float(np.median([b.flux / a.flux for a, b in kept])),
    }


def doubled(flat: Floats, star: Star) -> float:
    """Height of the highest second maximum within 2 widths, over the star's own height; 0 for a single peak."""
    reach = int(np.ceil(2 * star.fwhm))
    y, x = round(star.y), round(star.x)
    cut = cv2.GaussianBlur(flat[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1], (0, 0), 0.8)
    peaks = cut[(cut == cv2.dilate(cut, np.ones((3, 3), np.uint8))) & (cut > 0)]
    highest = np.sort(peaks)[::-1]
    return float(highest[1] / highest[0]) if len(highest) > 1 else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the burst named on the command line and print one JSON object: the figures of every mode, and rings."""
    modes: tuple[Mode, ...] = get_args(Mode)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stars", description="Noise, star width, lost and doubled stars, dark rings of a star field.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a burst")
    parser.add_argument("scale", metavar="SCALE", type=float, nargs="?", default=2.0, help="default 2")
    parser.add_argument("--mode", choices=modes, help="default: all, side by side")
    args = parser.parse_args(arguments)
    burst = read_burst(args.folder)
    noise, _ = noise_from_burst(burst)
    index = select_reference(burst, noise)
    images: dict[str, Floats] = {"single": upscale(demosaic(burst.frames[index]), args.scale)}
    for mode in (args.mode,) if args.mode else modes:
        images[mode] = super_resolve(burst, Settings(scale=args.scale, mode=mode, reference=index)).image
    found = {mode: measure(images["single"], image, args.scale) for mode, image in images.items() if mode != "single"}
    figures = {"frames": len(burst), "reference": index, **found, "rings": star_rings(images, args.scale)}
    sys.stdout.write(json.dumps(figures, indent=1, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
