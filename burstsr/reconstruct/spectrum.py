"""Lens blur from the power spectrum of a scene.

Scenes of many kinds have power spectra that fall as a power of the frequency, f^-2 or nearly (Field 1987, "Relations between the statistics of natural images
and the response properties of cortical cells", J. Opt. Soc. Am. A 4(12)). A Gaussian blur of standard deviation sigma multiplies power by
exp(-(2 pi sigma f)^2), which bends that line in a log-log plot: the curvature gives sigma. A soft scene bends it too, so the estimate includes its blur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_OFFSET = 0.003  # added before the square root
_BANDS = 40  # frequency bands, up to half a cycle per pixel
_LOWEST, _HIGHEST = 0.025, 0.42  # cycles per pixel: beyond are the image size and residues of the pixel area
_SLOPE = (2.0, 0.3)  # prior of the spectral exponent: mean and standard deviation over scenes
_BLUR = (0.16, 0.3)  # prior of the squared blur: mean and standard deviation, raw pixels^2: most lenses are between 0 and 0.6 px
_SCENES = 0.35  # standard deviation of the log power of a band about that line
_FEWEST = 4  # bands to fit to
_HIDDEN = 0.1  # share of the noise power below which a band is not used


def blur_of_image(level: NDArray[np.floating], noise: tuple[float, float], samples: float, scale: float) -> tuple[float, float]:
    """Return the same as `blur_from_spectrum` of one colour of a linear image (h, w).

    noise: alpha and beta of its samples. samples: number of them per pixel.
    """
    level = np.maximum(level, 0)
    slope2 = 0.25 / (level + np.float32(_OFFSET))  # (d root / d level)^2
    variance = float(np.mean((noise[0] * level + noise[1]) * slope2)) / samples
    return blur_from_spectrum(np.sqrt(level + np.float32(_OFFSET)), variance, scale)


def blur_from_spectrum(plane: NDArray[np.floating], noise_variance: float, scale: float) -> tuple[float, float]:
    """Return the sigma of the lens blur and its standard error, raw pixels; typical values of lenses where noise hides the scene.

    plane: (h, w) of an image at `scale` pixels per raw pixel, deconvolved by the pixel area but not by the lens, on square roots or another scale on
    which shadows count. noise_variance: of a pixel, without any smoothing or deconvolution.
    """
    f, power = radial_power(plane)
    noise = noise_variance / np.sinc(scale * f) ** 2  # deconvolution of the area of `scale` pixels
    use = (f > _LOWEST) & (f < _HIGHEST) & (scale * f < 1)
    hidden = np.flatnonzero(use & (power < _HIDDEN * noise))
    if len(hidden):
        use[hidden[0] :] = False
    if np.count_nonzero(use) < _FEWEST:
        return float(np.sqrt(_BLUR[0])), float(_BLUR[1] / (2 * np.sqrt(_BLUR[0])))
    f, power, noise = f[use], np.maximum(power[use], 1e-30), noise[use]
    certainty = 1 / np.hypot(_SCENES, noise / power)
    expected = np.array([[0, 1 / _SLOPE[1], 0, _SLOPE[0] / _SLOPE[1]], [0, 0, 1 / _BLUR[1], _BLUR[0] / _BLUR[1]]])
    line = np.stack([np.ones_like(f), -np.log(f), -((2 * np.pi * scale * f) ** 2), np.log(power)], axis=1)  # ln P = a - b ln f - (2 pi sigma f)^2
    rows = np.vstack([line * certainty[:, None], expected])
    fitted = np.linalg.lstsq(rows[:, :3], rows[:, 3], rcond=None)[0]
    left = rows[:, :3] @ fitted - rows[:, 3]
    spread = max(float(left @ left) / max(len(left) - 3, 1), 1.0)  # scenes with other spectra are less certain
    variance = float(np.linalg.inv(rows[:, :3].T @ rows[:, :3])[2, 2]) * spread
    sigma = float(np.sqrt(max(fitted[2], 1e-4)))
    return sigma, float(np.sqrt(variance)) / (2 * max(sigma, 0.1))


def radial_power(plane: NDArray[np.floating]) -> tuple[Doubles, Doubles]:
    """Return frequencies, cycles per pixel, and mean power in rings of (h, w), windowed; white noise has its variance as power at every frequency."""
    window = np.hanning(plane.shape[0])[:, None] * np.hanning(plane.shape[1])
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2 / float((window**2).sum())
    f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in plane.shape), indexing="ij"))
    band = (f * 2 * _BANDS).astype(int)
    inside = band < _BANDS
    count = np.bincount(band[inside], minlength=_BANDS)
    middle = (np.arange(_BANDS) + 0.5) / (2 * _BANDS)
    filled = count > 0
    return middle[filled], np.bincount(band[inside], power[inside], _BANDS)[filled] / count[filled]
