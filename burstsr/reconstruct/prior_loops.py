"""Loops of the prior over pixels: from an image to the planes that are shrunk, and back."""

import math

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32


@compiled
def to_planes(x, neutral, offset, to_luma, slope2, variance, chroma_noise, planes, noise):
    """Compute planes = to_luma (3, 3) times the square roots of white-balanced x plus offset, and noise, their variance.

    x, variance, slope2, planes, noise: (3, n); slope2: squared derivative of the root.
    """
    inverse_r = f4(1) / neutral[0]
    inverse_g = f4(1) / neutral[1]
    inverse_b = f4(1) / neutral[2]
    for i in range(x.shape[1]):
        k = np.uint64(i)
        r = math.sqrt(max(x[0, k] * inverse_r + offset, f4(1e-6)))
        g = math.sqrt(max(x[1, k] * inverse_g + offset, f4(1e-6)))
        b = math.sqrt(max(x[2, k] * inverse_b + offset, f4(1e-6)))
        planes[0, k] = to_luma[0, 0] * r + to_luma[0, 1] * g + to_luma[0, 2] * b
        planes[1, k] = to_luma[1, 0] * r + to_luma[1, 1] * g + to_luma[1, 2] * b
        planes[2, k] = to_luma[2, 0] * r + to_luma[2, 1] * g + to_luma[2, 2] * b
    for i in range(x.shape[1]):
        k = np.uint64(i)
        r = slope2[0, k] * variance[0, k]
        g = slope2[1, k] * variance[1, k]
        b = slope2[2, k] * variance[2, k]
        noise[0, k] = to_luma[0, 0] * to_luma[0, 0] * r + to_luma[0, 1] * to_luma[0, 1] * g + to_luma[0, 2] * to_luma[0, 2] * b
        noise[1, k] = chroma_noise * (r + g)
        noise[2, k] = chroma_noise * (b + g)


@compiled
def to_image(planes, neutral, offset, to_rgb, out):
    """Compute the inverse of `to_planes`, (3, n)."""
    for i in range(out.shape[1]):
        k = np.uint64(i)
        a = planes[0, k]
        b = planes[1, k]
        c = planes[2, k]
        r = max(to_rgb[0, 0] * a + to_rgb[0, 1] * b + to_rgb[0, 2] * c, f4(0))
        g = max(to_rgb[1, 0] * a + to_rgb[1, 1] * b + to_rgb[1, 2] * c, f4(0))
        b = max(to_rgb[2, 0] * a + to_rgb[2, 1] * b + to_rgb[2, 2] * c, f4(0))
        out[0, k] = (r * r - offset) * neutral[0]
        out[1, k] = (g * g - offset) * neutral[1]
        out[2, k] = (b * b - offset) * neutral[2]
