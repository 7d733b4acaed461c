"""Loops for samples of blurred frames: each is a weighted mean over more than its pixel's area, its footprint.

A footprint has `rows` rows of `vectors` times LANES values, flat in `footprints` from index `at` on, the last ones of a row 0; its first value belongs to
pixel `first` of a flat (p, h, w).
"""

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32
LANES = 8  # values of a vector


@compiled
def mean_over(first, at, footprints, rows, vectors, width, image, guard):
    """Return the mean of flat `image`, which begins after `guard` values, over one footprint."""
    total = f4(0)
    for a in range(rows):
        for v in range(vectors):
            pixel = np.uint64(first + a * width + v * LANES + guard)
            share = np.uint64(at + (a * vectors + v) * LANES)
            for n in range(LANES):
                k = np.uint64(n)
                total += footprints[share + k] * image[pixel + k]
    return total


@compiled
def spread(value, first, at, footprints, rows, vectors, width, out):
    """Add `value` times one footprint to flat `out`."""
    for a in range(rows):
        for v in range(vectors):
            pixel = np.uint64(first + a * width + v * LANES)
            share = np.uint64(at + (a * vectors + v) * LANES)
            for n in range(LANES):
                k = np.uint64(n)
                out[pixel + k] += value * footprints[share + k]


@compiled
def add_product(wide, width, image, guard, out):
    """Add A^T W A x to flat `out`, with x = flat `image`, for all samples of `blurred_frames.WideSamples`."""
    first, at, weight, footprints, rows, vectors = wide[0], wide[1], wide[2], wide[3], wide[4], wide[5]
    for n in range(len(first)):
        i = np.uint64(n)
        mean = mean_over(first[i], at[i], footprints, rows[i], vectors[i], width, image, guard)
        spread(weight[i] * mean, first[i], at[i], footprints, rows[i], vectors[i], width, out)


@compiled
def means(first, at, footprints, rows, vectors, width, image, out):
    """Compute out = A x, with x = flat `image`, for the samples of one frame."""
    for n in range(len(first)):
        i = np.uint64(n)
        out[i] = mean_over(first[i], at[i], footprints, rows, vectors, width, image, 0)


@compiled
def spread_all(values, first, at, footprints, rows, vectors, width, out):
    """Add A^T values to flat `out`, for the samples of one frame."""
    for n in range(len(first)):
        i = np.uint64(n)
        spread(values[i], first[i], at[i], footprints, rows, vectors, width, out)
