"""DN to samples. The same arithmetic as `naive.py`, row by row."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64


@inlined
def mirrored(index, length):
    """Mirror an index at the borders, repeatedly if necessary."""
    period = max(2 * (length - 1), 1)
    folded = abs(index) % period
    return min(folded, period - folded) if length > 1 else 0


@compiled
def normalise_rows(first, last, mosaic, black, scale, most, out):
    """Compute samples (level - black) * scale, clipped above at `most`. mosaic (H, W) uint16; black, scale (period, W): of rows y % period; out (H, W)."""
    period = black.shape[0]
    for y in range(first, last):
        m = mosaic[y]
        b = black[y % period]
        s = scale[y % period]
        o = out[y]
        for x in range(m.shape[0]):
            o[x] = min((f4(m[x]) - b[x]) * s[x], most)


@compiled
def cell_rows(first, last, mosaic, black, scale, red, out):
    """Compute (h, w, 3) R, G, B per CFA cell, the two greens averaged. red: 2 y + x of the red site; blue is diagonally opposite."""
    ry, rx = red // 2, red % 2
    sr, sg, sh, sb = scale[ry, rx], f4(0.5) * scale[ry, 1 - rx], f4(0.5) * scale[1 - ry, rx], scale[1 - ry, 1 - rx]
    br, bg, bh, bb = black[ry, rx], black[ry, 1 - rx], black[1 - ry, rx], black[1 - ry, 1 - rx]
    for y in range(first, last):
        r = mosaic[2 * y + ry, rx:]
        g = mosaic[2 * y + ry, 1 - rx :]
        h = mosaic[2 * y + 1 - ry, rx:]
        b = mosaic[2 * y + 1 - ry, 1 - rx :]
        o = out[y]
        for x in range(out.shape[1]):
            k = u8(2) * u8(x)
            o[x, 0] = (f4(r[k]) - br) * sr
            o[x, 1] = (f4(g[k]) - bg) * sg + (f4(h[k]) - bh) * sh
            o[x, 2] = (f4(b[k]) - bb) * sb


@compiled
def stabilised_cell_rows(first, last, mosaic, black, scale, gain, offset, factor, out):
    """Compute the (h, w) mean m of each CFA cell's four samples, stabilised: factor sqrt(gain m + offset). black, scale: (2, W)."""
    quarter = f4(0.25)
    s00, s01, s10, s11 = quarter * scale[0, 0], quarter * scale[0, 1], quarter * scale[1, 0], quarter * scale[1, 1]
    b00, b01, b10, b11 = black[0, 0], black[0, 1], black[1, 0], black[1, 1]
    for y in range(first, last):
        a = mosaic[2 * y]
        c = mosaic[2 * y + 1]
        o = out[y]
        for x in range(out.shape[1]):
            k = u8(2) * u8(x)
            upper = (f4(a[k]) - b00) * s00 + (f4(a[k + u8(1)]) - b01) * s01
            lower = (f4(c[k]) - b10) * s10 + (f4(c[k + u8(1)]) - b11) * s11
            o[x] = factor * math.sqrt(max(gain * (upper + lower) + offset, f4(0)))


@compiled
def site_sums(first, last, mosaic, out):
    """Sum the even and the odd columns of each row: out (H, 2) uint64."""
    for y in range(first, last):
        m = mosaic[y]
        even = u8(0)
        odd = u8(0)
        for x in range(m.shape[0] // 2):
            k = u8(2) * u8(x)
            even += u8(m[k])
            odd += u8(m[k + u8(1)])
        if m.shape[0] & 1:
            even += u8(m[m.shape[0] - 1])
        out[y, 0] = even
        out[y, 1] = odd
