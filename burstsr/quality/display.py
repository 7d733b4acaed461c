"""PSNR, SSIM and MS-SSIM of display images, on RGB and on luma, as in the literature on single-image super-resolution.

Images are (H, W, 3) sRGB, 0 to 1. Luma is BT.601 with studio swing (16 to 235 of 255), as in MATLAB's rgb2ycbcr, as in published figures; its
peak is 255 nevertheless.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import RangeError, SettingsError

Floats = NDArray[np.floating]
STUDIO_LUMA = np.array([0.299, 0.587, 0.114]) * 219 / 255  # BT.601
STUDIO_BLACK = 16 / 255
WINDOW, SIGMA = 11, 1.5  # Wang 2004, §III.B
C1, C2 = 0.01**2, 0.03**2  # K1 and K2 squared, for values from 0 to 1
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli, Bovik 2003, "Multi-scale structural similarity", §3.2: alpha_M, beta_j = gamma_j
LEAST_PX = WINDOW * 2 ** (len(SCALES) - 1)  # minimum length of the shorter side for MS-SSIM


def luma(srgb: Floats) -> NDArray[np.float64]:
    """Return (H, W) luma of (H, W, 3), 16/255 to 235/255.

    >>> (luma(np.ones((1, 1, 3))) * 255).round(3).tolist()
    [[235.0]]
    """
    return np.asarray(np.asarray(srgb, np.float64) @ STUDIO_LUMA + STUDIO_BLACK, np.float64)


def cropped(image: Floats, border: int) -> Floats:
    """Crop a border of `border` pixels. Raises SettingsError where nothing is left."""
    height, width = image.shape[:2]
    if not 0 <= 2 * border < min(height, width):
        raise RangeError("border", f"must be at least 0 and less than half of {height} x {width} pixels, not {border}")
    return image[border : height - border, border : width - border]


def psnr(image: Floats, truth: Floats) -> float:
    """Return the peak signal-to-noise ratio in dB, peak 1; inf where equal."""
    error = float(np.mean(np.square(np.asarray(image, np.float64) - truth)))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(image: Floats, truth: Floats) -> float:
    """Return the structural similarity (Wang 2004), mean over channels and over all positions where the window fits; NaN below 11 x 11 pixels."""
    return float(np.mean([_similarity(a, b)[0] for a, b in _planes(image, truth)])) if min(image.shape[:2]) >= WINDOW else float("nan")


def ms_ssim(image: Floats, truth: Floats) -> float:
    """Return the multi-scale structural similarity (Wang 2003, eq. 7), mean over channels; NaN where the shorter side has fewer than LEAST_PX pixels."""
    if min(image.shape[:2]) < LEAST_PX:
        return float("nan")
    return float(np.mean([_over_scales(a, b) for a, b in _planes(image, truth)]))


def _over_scales(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    found = 1.0
    for scale, weight in enumerate(SCALES):
        whole, structure = _similarity(a, b)
        found *= max(whole if scale == len(SCALES) - 1 else structure, 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return found


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average 2 x 2 pixels; an odd last row or column is dropped."""
    height, width = (n // 2 * 2 for n in plane.shape)
    return np.asarray(plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3)))


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Return the means of SSIM and of its contrast-structure part over all positions where the window fits (Wang 2004, eqs. 6, 9, 10, 13)."""
    mean_a, mean_b = _windowed(a), _windowed(b)
    variance_a, variance_b = _windowed(a * a) - mean_a**2, _windowed(b * b) - mean_b**2
    structure = (2 * (_windowed(a * b) - mean_a * mean_b) + C2) / (variance_a + variance_b + C2)
    light = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return float(np.mean(light * structure)), float(np.mean(structure))


def _windowed(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    half = WINDOW // 2
    return np.asarray(cv2.GaussianBlur(plane, (WINDOW, WINDOW), SIGMA), np.float64)[half:-half, half:-half]


def _planes(image: Floats, truth: Floats) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    if image.shape != truth.shape:
        raise SettingsError(f"images of shapes {image.shape} and {truth.shape}: expected the same")
    pair = [np.asarray(p, np.float64).reshape(*p.shape[:2], -1) for p in (image, truth)]
    return [(np.ascontiguousarray(pair[0][:, :, c]), np.ascontiguousarray(pair[1][:, :, c])) for c in range(pair[0].shape[2])]


def figures(image: Floats, truth: Floats, border: int) -> dict[str, float]:
    """psnr_rgb, psnr_y, ssim_rgb, ssim_y, ms_ssim_rgb, ms_ssim_y of two images without a border of `border` pixels; NaN where they are too small."""
    inside, true = cropped(image, border), cropped(truth, border)
    bright, truly = luma(inside), luma(true)
    found = {"psnr_rgb": psnr(inside, true), "psnr_y": psnr(bright, truly), "ssim_rgb": ssim(inside, true), "ssim_y": ssim(bright, truly)}
    return {**found, "ms_ssim_rgb": ms_ssim(inside, true), "ms_ssim_y": ms_ssim(bright, truly)}
