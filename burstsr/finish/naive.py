"""Finishing in plain NumPy, the oracle of `loops.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.srgb import LUMA_709, display_values
from burstsr.finish.colour import CONTRAST, Pixels, linear_srgb, tone_curve


def encode_rows(
    first: int, last: int, rgb: Pixels, gains: NDArray[np.float32], matrix: NDArray[np.float32], contrast: np.float32, encoded: Pixels, luma: Pixels
) -> None:
    """Apply white balance, highlights, matrix, sRGB encoding and contrast."""
    linear = linear_srgb(rgb[first:last], gains.astype(np.float64), matrix.astype(np.float64))
    encoded[first:last] = tone_curve(display_values(linear), float(contrast) / CONTRAST)
    luma[first:last] = encoded[first:last] @ LUMA_709


def sharpen_rows(first: int, last: int, luma: Pixels, blurred: Pixels, strength: np.float32, encoded: Pixels) -> None:
    """Apply an unsharp mask: the same detail is added to every channel, so that hues are kept."""
    detail = strength * (luma[first:last] - blurred[first:last])
    encoded[first:last] = np.clip(encoded[first:last] + detail[:, :, None], 0, 1)
