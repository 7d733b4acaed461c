"""The scene in front of the camera, an image as linear RGB, and the blur of the lens.

The scene is a surface of square pixels, each of one colour; the truth of a simulation is that surface at the target scale. Beyond its borders
the surface is mirrored, so that a shifted frame shows plausible content.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from burstsr.core.burst import Colour
from burstsr.core.checks import LEAST_SIDE_PX
from burstsr.core.coords import output_length
from burstsr.core.errors import SettingsError
from burstsr.core.srgb import SRGB_TO_XYZ, XYZ_TO_SRGB

# Linear sRGB to white-balanced camera RGB. Rows sum to 1 (white stays white); values like those of current cameras, none negative, so that no sRGB
# colour requires a negative intensity.
SRGB_TO_CAMERA = np.array([[0.56, 0.41, 0.03], [0.04, 0.78, 0.18], [0.01, 0.20, 0.79]])
_STRIP_ROWS = 256


def camera_colour(red_gain: float = 2.0, blue_gain: float = 1.6) -> Colour:
    """Return the colour of the simulated camera: its white balance is (red_gain, 1, blue_gain), its matrix `SRGB_TO_CAMERA` written from XYZ (D65)."""
    neutral = 1.0 / np.array([red_gain, 1.0, blue_gain])
    return Colour(as_shot_neutral=neutral, xyz_to_camera=neutral[:, None] * (SRGB_TO_CAMERA @ XYZ_TO_SRGB))


def unprocess(srgb: NDArray[np.floating], colour: Colour) -> NDArray[np.float32]:
    """Convert an (H, W, 3) sRGB image, 0 to 1, to (H, W, 3) float32 linear camera RGB, 1.0 = saturation (Brooks 2019, section 3).

    Inverse sRGB curve, matrix, inverse white balance: white is where green saturates.
    Departs: no inverse tone curve and no random gains; the sRGB curve is the complete tone curve, so that finishing restores the image. No
    saturated highlights (section 3.4): clipped before pixels average them, edges of white would become magenta, unlike in real cameras.
    """
    if colour.xyz_to_camera is None:
        raise SettingsError("colour.xyz_to_camera must be a matrix to convert sRGB to camera RGB, not None")
    neutral = np.asarray(colour.as_shot_neutral, np.float32)
    matrix = (colour.xyz_to_camera @ SRGB_TO_XYZ / neutral[:, None]).astype(np.float32)
    camera = np.empty(srgb.shape, np.float32)
    for first in range(0, srgb.shape[0], _STRIP_ROWS):
        v = np.clip(srgb[first : first + _STRIP_ROWS], 0, 1).astype(np.float32)
        balanced = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) @ matrix.T
        camera[first : first + _STRIP_ROWS] = np.clip(balanced * neutral, 0, 1)
    return camera


def frame_shape(image_shape: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return (H, W), both even, of the largest frame whose truth `round(scale H), round(scale W)` fits into an image of `image_shape`."""
    lengths = []
    for length in image_shape:
        frame = 2 * int(length / (2 * scale)) + 2
        while output_length(frame, scale) > length:
            frame -= 2
        lengths.append(frame)
    if min(lengths) < LEAST_SIDE_PX:
        size, frame_size = (" x ".join(map(str, lengths)) for lengths in (image_shape, lengths))
        raise SettingsError(f"image of {size} pixels at scale {scale}: frames would be {frame_size}, and must be at least 16 x 16")
    return lengths[0], lengths[1]


def crop_truth(image: NDArray[Any], frame: tuple[int, int], scale: float) -> NDArray[Any]:
    """Crop `image` (h, w, 3) to its central round(scale H) x round(scale W) pixels."""
    height, width = (output_length(length, scale) for length in frame)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def gaussian_psf(sigma: float) -> NDArray[np.float64]:
    """Return (2 r + 1,) weights with sum 1 and variance sigma^2 in pixels^2, both exact however small sigma: the discrete Gaussian (Lindeberg 1990, eq. 26)."""
    radius = int(np.ceil(6 * sigma)) + 2
    weights = special.ive(np.abs(np.arange(-radius, radius + 1)), sigma**2)
    return np.asarray(weights / weights.sum())


def apply_psf(image: NDArray[np.float32], sigma: float, psf: NDArray[np.floating] | None, margin: int) -> NDArray[np.float32]:
    """Blur the scene by the lens: (3, h + 2 margin, w + 2 margin) float32 planes of `image` (h, w, 3), mirrored beyond the borders.

    The result consists of square pixels of one colour again, which the sensor integrates.
    sigma: Gaussian in pixels of `image`; 0 = none. psf: (odd, odd) weights at pixels of `image`, used instead; normalised to sum 1.
    """
    planes = np.empty((3, image.shape[0] + 2 * margin, image.shape[1] + 2 * margin), np.float32)
    for channel in range(3):
        plane = image[..., channel]
        if psf is not None:
            if psf.ndim != 2 or not all(length % 2 for length in psf.shape) or not psf.sum() > 0:
                raise SettingsError(f"psf must have odd side lengths and a positive sum, not shape {psf.shape} and sum {psf.sum()}")
            plane = ndimage.convolve(plane, np.asarray(psf, np.float64) / psf.sum(), output=np.float32, mode="reflect")
        elif sigma > 0:
            weights = gaussian_psf(sigma)
            for axis in (0, 1):
                plane = ndimage.correlate1d(plane, weights, axis=axis, output=np.float32, mode="reflect")
        planes[channel] = np.pad(plane, margin, mode="symmetric")
    return planes
