"""Loops of robustness: means and variances over 3 x 3 CFA cells. Same arithmetic as `naive.py`; images of CFA cells are planes (3, h, w)."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64


@compiled
def cell_row(mosaic, black, scale, red, y, out, slot):
    """Write one row of CFA cells' R, G, B, the two greens averaged, to out[slot, :, 1:-1], borders replicated."""
    ry, rx = red // 2, red % 2
    sr, sg, sh, sb = scale[ry, rx], f4(0.5) * scale[ry, 1 - rx], f4(0.5) * scale[1 - ry, rx], scale[1 - ry, 1 - rx]
    br, bg, bh, bb = black[ry, rx], black[ry, 1 - rx], black[1 - ry, rx], black[1 - ry, 1 - rx]
    upper = mosaic[2 * y + ry]
    lower = mosaic[2 * y + 1 - ry]
    w = out.shape[2] - 2
    p, q = u8(rx), u8(1 - rx)
    one = u8(1)
    for x in range(u8(w)):
        k = x + x
        out[slot, 0, one + x] = (f4(upper[k + p]) - br) * sr
        out[slot, 1, one + x] = (f4(upper[k + q]) - bg) * sg + (f4(lower[k + p]) - bh) * sh
        out[slot, 2, one + x] = (f4(lower[k + q]) - bb) * sb
    for c in range(3):
        out[slot, c, 0] = out[slot, c, 1]
        out[slot, c, w + 1] = out[slot, c, w]


@compiled
def next_rows(mosaic, black, scale, red, y, first, ring):
    """Write the CFA cells of the row below y to a ring of three rows, for y = `first` also those above it; return the slots of rows y - 1, y, y + 1."""
    h = mosaic.shape[0] // 2
    for row in range(max(first - 1, 0) if y == first else y + 1, min(y + 2, h)):
        cell_row(mosaic, black, scale, red, row, ring, row % 3)
    return u8(max(y - 1, 0) % 3), u8(y % 3), u8(min(y + 1, h - 1) % 3)


@compiled
def mean_rows(first, last, mosaic, black, scale, red, out):
    """Compute 3 x 3 means of CFA cells, (3, h, w), borders replicated. black, scale (2, 2); red: 2 y + x of the red site."""
    w = out.shape[2]
    ring = np.empty((3, 3, w + 2), f4)
    total = np.empty(w + 2, f4)
    ninth = f4(1.0 / 9.0)
    one, two = u8(1), u8(2)
    for y in range(first, last):
        i, j, k = next_rows(mosaic, black, scale, red, y, first, ring)
        for c in range(3):
            for x in range(u8(w + 2)):
                total[x] = ring[i, c, x] + ring[j, c, x] + ring[k, c, x]
            for x in range(u8(w)):
                out[c, y, x] = (total[x] + total[x + one] + total[x + two]) * ninth


@inlined
def at_level(curve, c, level, gain):
    """Return the noise variance of channel c at a level under a gain g: g^2 times that at level / g. curve (3, n) over level 0 .. 1."""
    steps = f4(curve.shape[1] - 1)
    at = u8(np.int32(min(max(level / gain * steps + f4(0.5), f4(0)), steps)))
    return gain * gain * curve[c, at]


@compiled
def guide_rows(first, last, mosaic, black, scale, red, curve_variance, mean, sigma2, field=None):
    """Compute `mean_rows` and sigma2 (h, w): sum over channels of max(3 x 3 variance, noise variance at the mean).

    curve_variance (3, n): noise variance over level 0 .. 1. field (3, h, w): gain of the samples, None = 1; the same in the other loops.
    """
    w = sigma2.shape[1]
    steps = curve_variance.shape[1] - 1
    ring = np.empty((3, 3, w + 2), f4)
    ninth = f4(1.0 / 9.0)
    for y in range(first, last):
        i, j, k = next_rows(mosaic, black, scale, red, y, first, ring)
        sigma2[y] = f4(0)
        for c in range(3):
            for x in range(u8(w)):
                total = f4(0)
                for d in range(u8(3)):
                    total += ring[i, c, x + d] + ring[j, c, x + d] + ring[k, c, x + d]
                m = total * ninth
                spread = f4(0)
                for d in range(u8(3)):
                    p, q, r = ring[i, c, x + d] - m, ring[j, c, x + d] - m, ring[k, c, x + d] - m
                    spread += p * p + q * q + r * r
                mean[c, y, x] = m
                if field is None:  # resolved at compile time
                    at = u8(np.int32(min(max(m * f4(steps) + f4(0.5), f4(0)), f4(steps))))
                    sigma2[y, x] += max(spread * ninth, curve_variance[c, at])
                else:
                    sigma2[y, x] += max(spread * ninth, at_level(curve_variance, c, m, field[c, y, x]))


@compiled
def add_cells(mosaic, black, scale, red, y, x, weight, window):
    """Add the CFA cells around (y, x), borders replicated, to window (3, 3, 3): R, G, B times weight."""
    h, w = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    ry, rx = red // 2, red % 2
    for i in range(3):
        qy = 2 * min(max(y + i - 1, 0), h - 1)
        for j in range(3):
            qx = 2 * min(max(x + j - 1, 0), w - 1)
            window[0, i, j] += weight * (f4(mosaic[qy + ry, qx + rx]) - black[ry, rx]) * scale[ry, rx]
            window[2, i, j] += weight * (f4(mosaic[qy + 1 - ry, qx + 1 - rx]) - black[1 - ry, 1 - rx]) * scale[1 - ry, 1 - rx]
            green = (f4(mosaic[qy + ry, qx + 1 - rx]) - black[ry, 1 - rx]) * scale[ry, 1 - rx]
            green += (f4(mosaic[qy + 1 - ry, qx + rx]) - black[1 - ry, rx]) * scale[1 - ry, rx]
            window[1, i, j] += weight * f4(0.5) * green


@compiled
def statistics_at(first, last, position, mosaic, black, scale, red, curve_variance, out):
    """Compute local statistics at positions (n, 2), in CFA cells; NaN outside. out (4, n).

    Means of R, G, B over 3 x 3 cells, bilinear; sum over channels of max(variance, noise variance) of the nearest cell, as in `guide_rows`.
    """
    h, w = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    steps = curve_variance.shape[1] - 1
    window = np.empty((3, 3, 3), f4)
    for n in range(first, last):
        y, x = position[n]
        if not (y > f4(-0.5) and x > f4(-0.5) and y < h - f4(0.5) and x < w - f4(0.5)):
            out[:, n] = np.nan
            continue
        y, x = min(max(y, f4(0)), f4(h - 1)), min(max(x, f4(0)), f4(w - 1))
        a, b = int(math.floor(y)), int(math.floor(x))
        v, u = y - f4(a), x - f4(b)
        out[:, n] = f4(0)
        window[:] = f4(0)
        add_cells(mosaic, black, scale, red, int(math.floor(y + f4(0.5))), int(math.floor(x + f4(0.5))), f4(1), window)
        for c in range(3):
            mean = window[c].sum() / f4(9)
            at = int(min(max(mean * f4(steps) + f4(0.5), f4(0)), f4(steps)))
            out[3, n] += max((window[c] * window[c]).sum() / f4(9) - mean * mean, curve_variance[c, at])
        window[:] = f4(0)
        for i in range(2):
            for j in range(2):
                weight = (v if i else f4(1) - v) * (u if j else f4(1) - u)
                if weight > f4(0):
                    add_cells(mosaic, black, scale, red, a + i, b + j, weight, window)
        for c in range(3):
            out[c, n] = window[c].sum() / f4(9)
