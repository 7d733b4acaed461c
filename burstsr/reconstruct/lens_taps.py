"""The lens's blur in the forward model."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float32]
_PSF_FRACTION = 0.9  # of the given sigma of the lens blur: too large a sigma causes ringing, too small a one only blur


def apply_lens_blur(image: Floats, taps: Floats) -> Floats:
    """Blur an image (h, w, channels) by the lens, as the forward model does before the pixel area. taps: along one axis."""
    return image if taps.size == 1 else np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, taps, taps).reshape(image.shape), np.float32)


def lens_taps(psf_sigma_px: float, scale: float) -> Floats:
    """Return the taps along one axis, output pixels, of a lens of that sigma, raw pixels."""
    return gaussian(_PSF_FRACTION * psf_sigma_px * scale)


def gaussian(sigma: float) -> Floats:
    """Return an odd number of taps with sum 1 and variance sigma^2 in pixels^2, however small: the discrete Gaussian (Lindeberg 1990, eq. 26); [1] for 0."""
    reach = int(np.ceil(3 * sigma)) + 1 if sigma > 0 else 0
    taps = special.ive(np.abs(np.arange(-reach, reach + 1)), sigma**2)
    return np.asarray(taps / taps.sum(), np.float32)
