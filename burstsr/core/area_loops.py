"""The pixel-area forward model: a sample is the mean of the image over the area of its pixel. What of that area lies in each pixel of the image.

Pixel k of an axis covers k to k + 1. Merge and reconstruction predict with it; the simulator and `benchmarks.forward` have code of their own, on purpose:
they must be able to prove this wrong.
"""

import math

import numpy as np

from burstsr.core.flow_loops import floor
from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64


@inlined
def overlap(k, start, length):
    """Return how much of [start, start + length] lies in pixel k."""
    return max(min(f4(k + 1), start + length) - max(f4(k), start), f4(0))


@compiled
def cover(start, scale, share):
    """Return the first pixel under [start, start + scale], and write to `share` the fraction of that length in each pixel from it on; they sum to 1."""
    first = floor(start)
    for k in range(len(share)):
        share[k] = overlap(first + k, start, scale) / scale
    return first


@inlined
def three(start, scale):
    """Return the fractions of `cover` for start in the first pixel and scales that reach into at most three pixels."""
    end = start + scale
    part = f4(1) / scale
    return (f4(1) - start) * part, (min(end, f4(2)) - f4(1)) * part, max(end - f4(2), f4(0)) * part


@inlined
def square_mean(image, y, x, side, taps, channel):
    """Return the mean of one channel over the square [y, y + side] x [x, x + side] in edge coordinates (pixel i covers i .. i + 1), borders replicated.

    taps: pixels along a side that it may overlap.
    """
    height, width = image.shape[:2]
    y0 = int(math.floor(y))
    x0 = int(math.floor(x))
    fy = y - f4(y0)
    fx = x - f4(x0)
    total = f4(0)
    inside = y0 >= 0 and x0 >= 0 and y0 + taps <= height and x0 + taps <= width
    for i in range(taps):
        row = f4(0)
        k = y0 + i if inside else min(max(y0 + i, 0), height - 1)
        for j in range(taps):
            share = overlap(j, fx, side)
            l = x0 + j if inside else min(max(x0 + j, 0), width - 1)  # noqa: E741
            row += share * image[u8(k), u8(l), u8(channel)]
        total += row * overlap(i, fy, side)
    return total / (side * side)
