"""Loops for samples of blurred frames: each is a weighted mean over more than its pixel's area, its footprint.

A footprint has `rows` x SIDE values, flat in `footprints` from index `at` on; its first value belongs to pixel `first` of a flat (3, h, w).
"""

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32
SIDE = 8  # values per row of a footprint, the last ones 0: one vector


@compiled
def mean_over(first, at, footprints, rows, width, image, guard):
    """Return the mean of flat `image`, which begins after `guard` values, over one footprint."""
    total = f4(0)
    for a in range(rows):
        pixel = np.uint64(first + a * width + guard)
        share = np.uint64(at + a * SIDE)
        for n in range(SIDE):
            k = np.uint64(n)
            total += footprints[share + k] * image[pixel + k]
    return total


@compiled
def spread(value, first, at, footprints, rows, width, out):
    """Add `value` times one footprint to flat `out`."""
    for a in range(rows):
        pixel = np.uint64(first + a * width)
        share = np.uint64(at + a * SIDE)
        for n in range(SIDE):
            k = np.uint64(n)
            out[pixel + k] += value * footprints[share + k]


@compiled
def add_product(wide, width, image, guard, out):
    """Add A^T W A x to flat `out`, with x = flat `image`, for all samples of `blurred_frames.WideSamples`."""
    first, at, weight, footprints, rows = wide[0], wide[1], wide[2], wide[3], wide[4]
    for n in range(len(first)):
        i = np.uint64(n)
        mean = mean_over(first[i], at[i], footprints, rows[i], width, image, guard)
        spread(weight[i] * mean, first[i], at[i], footprints, rows[i], width, out)


@compiled
def means(first, at, footprints, rows, width, image, out):
    """Compute out = A x, with x = flat `image`, for the samples of one frame."""
    for n in range(len(first)):
        i = np.uint64(n)
        out[i] = mean_over(first[i], at[i], footprints, rows, width, image, 0)


@compiled
def spread_all(values, first, at, footprints, rows, width, out):
    """Add A^T values to flat `out`, for the samples of one frame."""
    for n in range(len(first)):
        i = np.uint64(n)
        spread(values[i], first[i], at[i], footprints, rows, width, out)
