"""Resizing by interpolation: nearest, bilinear, bicubic, Lanczos. Does not require torch.

Output pixel `o` at scale `s` is located at `(o + 0.5) / s - 0.5` of the image, for any s > 0. Images are mirrored at their borders. When downscaling,
kernels are stretched by 1 / s to avoid aliasing (as MATLAB's imresize does, with which published super-resolution figures are made).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from burstsr.core.coords import output_length, raw_position
from burstsr.core.errors import SettingsError
from burstsr.core.parallel import over_rows

Floats = NDArray[np.float32]
_SHARPNESS = -0.5  # of the cubic: with it alone a parabola is reproduced (Keys 1981)
_LOBES = 3  # of Lanczos
_BLOCK_ROWS = 32


def _triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cubic convolution kernel (Keys 1981, eq. 15)."""
    d, a = np.abs(x), _SHARPNESS
    near = ((a + 2) * d - (a + 3)) * d**2 + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _lanczos(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the windowed sinc kernel (Duchon 1979)."""
    return np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0)


_KERNELS: dict[str, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (_cubic, 2.0),
    "lanczos": (_lanczos, float(_LOBES)),
}
METHODS = ("nearest", *_KERNELS)


def resize(image: NDArray[Any], scale: float, method: str = "bicubic", shape: tuple[int, int] | None = None) -> Floats:
    """Resize an image (H, W) or (H, W, C) to (round(s H), round(s W)) or (..., C) float32, unclipped: bicubic and Lanczos overshoot.

    shape: height and width to use instead, where they result from an earlier rounding. method: one of METHODS. "nearest" takes the pixel whose area contains
    the centre of the output pixel, also when downscaling. Scale 1 is the identity.
    Raises SettingsError for another method, a scale that is not above 0, or one that leaves no pixel.
    """
    if method not in METHODS:
        raise SettingsError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    if not (np.isfinite(scale) and scale > 0):
        raise SettingsError(f"scale must be above 0, not {scale}")
    height, width = shape or (output_length(length, scale) for length in image.shape[:2])
    if min(height, width) < 1:
        raise SettingsError(f"scale {scale:g} leaves no pixels of an image of {image.shape[1]} x {image.shape[0]}")
    source = np.ascontiguousarray(image, np.float32)
    if scale == 1 and image.shape[:2] == (height, width):
        return source.copy() if source is image else source
    if method == "nearest":
        rows, columns = _nearest(image.shape[0], height, scale), _nearest(image.shape[1], width, scale)
        return np.ascontiguousarray(source[rows[:, None], columns])
    down, across = _weights(image.shape[0], height, scale, method), _weights(image.shape[1], width, scale, method)
    return _separable(source.reshape(*image.shape[:2], -1), down, across).reshape(height, width, *image.shape[2:])


def _nearest(length: int, outputs: int, scale: float) -> NDArray[np.intp]:
    position = raw_position(np.arange(outputs), scale)
    return np.asarray(np.clip(np.floor(position + 0.5), 0, length - 1), np.intp)


def _separable(source: Floats, down: csr_array, across: csr_array) -> Floats:
    """Resize along y, then along x, some output rows at a time."""
    _, width, channels = source.shape
    result = np.empty((down.shape[0], across.shape[0], channels), np.float32)

    def rows(first: int, last: int) -> None:
        for start in range(first, last, _BLOCK_ROWS):
            end = min(start + _BLOCK_ROWS, last)
            some = down[start:end]
            used = slice(int(some.indices.min()), int(some.indices.max()) + 1)
            block = some[:, used] @ source[used].reshape(-1, width * channels)
            turned = np.ascontiguousarray(block.reshape(end - start, width, channels).swapaxes(0, 1)).reshape(width, -1)
            result[start:end] = (across @ turned).reshape(-1, end - start, channels).swapaxes(0, 1)

    over_rows(rows, result.shape[0], multiple=_BLOCK_ROWS)
    return result


def _weights(length: int, outputs: int, scale: float, method: str) -> csr_array:
    """Return (outputs, length) float32 weights of all pixels in every output pixel along one axis; rows sum to 1."""
    kernel, reach = _KERNELS[method]
    shrink = min(scale, 1.0)
    position = raw_position(np.arange(outputs), scale)
    taps = int(np.ceil(2 * reach / shrink)) + 2
    pixel = np.floor(position - reach / shrink).astype(np.int64)[:, None] + np.arange(taps)
    weight = kernel((pixel - position[:, None]) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    period = 2 * length
    mirrored = np.where(pixel % period < length, pixel % period, period - 1 - pixel % period)
    used = np.nonzero(weight)
    matrix = csr_array((weight[used].astype(np.float32), (used[0], mirrored[used])), shape=(len(position), length))
    matrix.sum_duplicates()
    return matrix
