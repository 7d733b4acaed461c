"""Alignment's loops over a frame's rows: its grey picture. Same arithmetic as `paper.py`."""

import math

import numpy as np

from burstsr.ground.compiled import compiled

f4 = np.float32


@compiled
def grey_rows(first, last, mosaic, black, scale, gain, offset, factor, top, left, out):
    """Rows of the stabilised grey picture: out (h, w) shows the mosaic's rows from `top`, columns from `left`.

    1-2-1 low-pass of the samples both ways, mirrored at the mosaic's borders, then factor sqrt(gain x + offset). black, scale: (2, W).
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
            grey = quarter * (l0[x] + l2[x]) + half * l1[x]
            o[x] = factor * math.sqrt(max(gain * grey + offset, f4(0)))


@compiled
def squared_slopes(first, last, picture, out):
    """out[y]: sum over row y of squared halved central differences both ways; one-sided at the picture's borders."""
    height, width = picture.shape
    half = f4(0.5)
    for y in range(first, last):
        a, b, c = picture[max(y - 1, 0)], picture[y], picture[min(y + 1, height - 1)]
        left, right = b[:-2], b[2:]
        total = f4(0)
        for x in range(width):
            d = half * (c[x] - a[x])
            total += d * d
        for x in range(width - 2):
            d = half * (right[x] - left[x])
            total += d * d
        if width > 1:
            d = half * (b[1] - b[0])
            e = half * (b[width - 1] - b[width - 2])
            total += d * d + e * e
        out[y] = total
