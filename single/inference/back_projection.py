"""Back-projection: an upscaled image, downscaled again, must be the image it was made from (Irani & Peleg 1991, "Improving Resolution by Image Registration").

Networks do not keep to it: those trained against a discriminator shift colours, small ones lose contrast. What is missing, the residual, is upscaled and added.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from single.classical import resize

Floats = NDArray[np.float32]
MODES = ("off", "low", "full")
_ITERATIONS = 3
_LOW_SIGMA_PX = 4.0  # of the low-frequency part, in pixels of the input
_WINDOW = 5  # side of the window over which a residual is compared with noise
_NOISE_FACTOR = 1.5  # residual power below this multiple of the noise's power is taken for noise


def back_projected(made: Floats, given: Floats, scale: float, mode: str, noise: float = 0.0) -> Floats:
    """Return `made` (s H, s W, C) corrected so that, shrunk by antialiased bicubic, it agrees with `given` (H, W, C).

    mode: "low" corrects what varies over more than some 4 pixels of the input: colour casts and brightness, no detail, and no noise of the input. "full"
    corrects everything that is more than noise. noise: standard deviation of the noise of `given`, which must not come back. "off": `made`.
    """
    if mode == "off":
        return made
    for _ in range(1 if mode == "low" else _ITERATIONS):
        residual = given - resize(made, 1 / scale, "bicubic", (given.shape[0], given.shape[1]))
        smooth = _smoothed(residual)
        part = smooth if mode == "low" else smooth + _more_than_noise(residual - smooth, noise)
        made = made + resize(part, scale, "bicubic", (made.shape[0], made.shape[1]))
    return made


def _smoothed(residual: Floats) -> Floats:
    found = cv2.GaussianBlur(residual, (0, 0), _LOW_SIGMA_PX, borderType=cv2.BORDER_REFLECT)
    return np.asarray(found.reshape(residual.shape), np.float32)


def _more_than_noise(residual: Floats, noise: float) -> Floats:
    """Shrink a residual by the share of its local power that noise explains (Wiener)."""
    if noise <= 0:
        return residual
    power = cv2.blur(np.square(residual).mean(axis=2), (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
    gain = np.maximum(power - _NOISE_FACTOR * noise**2, 0) / np.maximum(power, 1e-12)
    return np.asarray(residual * gain[:, :, None], np.float32)
