"""Loops of alignment over rows of a frame: luma. Same arithmetic as `naive.py`."""

import math

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32


@compiled
def luma_rows(first, last, mosaic, black, scale, gain, offset, factor, top, left, out):
    """Compute rows of the variance-stabilised luma image: out (h, w) covers the mosaic's rows from `top`, columns from `left`.

    1-2-1 low-pass of the samples along both axes, mirrored at the mosaic's borders, then factor sqrt(gain x + offset). black, scale: (2, W).
    """
    height, width = mosaic.shape
    w = out.shape[1]
    quarter, half, two = f4(0.25), f4(0.5), f4(2)
    line = np.empty(w + 2, f4)
    low = max(left - 1, 0)
    high = min(left + w + 1, width)
    inner = line[low - left + 1 :]
    l0, l1, l2 = line[:w], line[1 : w + 1], line[2 : w + 2]
    for y in range(first, last):
        r = y + top
        up = r - 1 if r > 0 else 1
        down = r + 1 if r < height - 1 else height - 2
        a, b, c = mosaic[up, low:high], mosaic[r, low:high], mosaic[down, low:high]
        black_a, scale_a = black[up & 1, low:high], scale[up & 1, low:high]
        black_b, scale_b = black[r & 1, low:high], scale[r & 1, low:high]
        for x in range(high - low):
            outer = f4(a[x]) + f4(c[x]) - two * black_a[x]
            inner[x] = quarter * scale_a[x] * outer + half * scale_b[x] * (f4(b[x]) - black_b[x])
        if left == 0:
            line[0] = line[2]
        if left + w == width:
            line[w + 1] = line[w - 1]
        o = out[y]
        for x in range(w):
            luma = quarter * (l0[x] + l2[x]) + half * l1[x]
            o[x] = factor * math.sqrt(max(gain * luma + offset, f4(0)))
