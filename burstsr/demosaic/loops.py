"""Loops of demosaicing. The same arithmetic as `naive.py`, one cache-sized block of the image at a time."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined
from burstsr.core.loops import mirrored

f4 = np.float32
u8 = np.uint64
BLOCK_ROWS, _BLOCK_COLUMNS = 48, 240  # even
_MARGIN = 8  # margin of pixels around a block on which its result depends
_HEIGHT, _WIDTH = BLOCK_ROWS + 2 * _MARGIN, _BLOCK_COLUMNS + 2 * _MARGIN
_PLANE = _HEIGHT * _WIDTH
_W = u8(_WIDTH)
# offsets of a block's planes in one array: at constant distances the compiler knows that they do not overlap
_ROWS = u8(_PLANE)  # x minus green, interpolated along rows
_COLUMNS = u8(2 * _PLANE)  # the same along columns
_STEPS = u8(3 * _PLANE)  # variation of the first along rows minus that of the second along columns; then its sums
_SUMS = u8(4 * _PLANE)
_CHOSEN = u8(5 * _PLANE)  # x minus green, in the better direction
_WIDE = u8(6 * _PLANE)  # interpolated between the sites of a row
_ONE, _TWO = u8(1), u8(2)


@compiled
def demosaic_rows(first, last, samples, cfa, gain, out):
    """Demosaic rows first .. last of out (H, W, 3) from samples (H, W); see `stage.demosaic`. first: a multiple of BLOCK_ROWS. gain (3,): white balance.

    In every row, x - green is known at the sites of the row's own colour, and is 0 on green. Interpolated between them it is the difference of that
    colour; that of the other colour is the mean of the rows above and below.
    """
    height, width = samples.shape
    half, quarter, third = f4(0.5), f4(0.25), f4(1.0 / 3.0)
    green = u8(0) if cfa[0, 0] == 1 else u8(1)  # (y + x) % 2 of green sites
    s = np.zeros(7 * _PLANE, f4)
    columns = np.empty(_WIDTH, np.int64)
    for top in range(first, last, BLOCK_ROWS):
        for left in range(0, width, _BLOCK_COLUMNS):
            for x in range(_WIDTH):
                columns[x] = mirrored(left - _MARGIN + x, width)
            for y in range(_HEIGHT):
                row = samples[mirrored(top - _MARGIN + y, height)]
                even, odd = gain[cfa[y & 1, 0]], gain[cfa[y & 1, 1]]
                at = u8(y) * _W
                if left >= _MARGIN and left + _BLOCK_COLUMNS + _MARGIN <= width:
                    begin = u8(left - _MARGIN)
                    for x in range(_W):
                        g = even if x & _ONE == u8(0) else odd
                        s[at + x] = math.sqrt(max(min(row[begin + x], f4(1)) * g, f4(0)))
                else:
                    for x in range(_WIDTH):
                        g = even if x & 1 == 0 else odd
                        s[at + u8(x)] = math.sqrt(max(min(row[columns[x]], f4(1)) * g, f4(0)))
            for y in range(_TWO, u8(_HEIGHT - 2)):
                for x in range(_TWO, u8(_WIDTH - 2)):
                    k = y * _W + x
                    v = s[k]
                    along = half * (v + s[k - _ONE] + s[k + _ONE]) - quarter * (s[k - _TWO] + s[k + _TWO])
                    down = half * (v + s[k - _W] + s[k + _W]) - quarter * (s[k - _TWO * _W] + s[k + _TWO * _W])
                    colour = (y + x) & _ONE != green
                    s[_ROWS + k] = v - along if colour else f4(0)
                    s[_COLUMNS + k] = v - down if colour else f4(0)
            for k in range(u8(3 * _WIDTH), u8((_HEIGHT - 3) * _WIDTH)):
                changes = abs(s[_ROWS + k + _ONE] - s[_ROWS + k - _ONE])
                s[_STEPS + k] = changes - abs(s[_COLUMNS + k + _W] - s[_COLUMNS + k - _W])
            for k in range(u8(5 * _WIDTH), u8((_HEIGHT - 5) * _WIDTH)):
                m = _STEPS + k
                s[_SUMS + k] = (s[m - _TWO * _W] + s[m + _TWO * _W]) + (s[m - _W] + s[m + _W]) + s[m]
            for k in range(u8(5 * _WIDTH), u8((_HEIGHT - 5) * _WIDTH)):
                m = _SUMS + k
                more = (s[m - _TWO] + s[m + _TWO]) + (s[m - _ONE] + s[m + _ONE]) + s[m]
                s[_CHOSEN + k] = s[_ROWS + k] if more <= f4(0) else s[_COLUMNS + k]
                s[_STEPS + k] = more
            for k in range(u8(5 * _WIDTH), u8((_HEIGHT - 5) * _WIDTH)):
                m = _CHOSEN + k
                s[_WIDE + k] = half * (s[m - _ONE] + s[m + _ONE]) + s[m]
            for y in range(u8(7), u8(_HEIGHT - 7)):
                for x in range(_TWO, u8(_WIDTH - 2)):
                    k = y * _W + x
                    m = _WIDE + k
                    along = (s[m - _ONE] + s[m + _ONE]) + s[m]
                    down = half * (s[m - _TWO * _W] + s[m + _TWO * _W]) + (s[m] + s[m])
                    smooth = third * (along if s[_STEPS + k] <= f4(0) else down)
                    s[_CHOSEN + k] = smooth if (y + x) & _ONE != green else f4(0)
            for k in range(u8(7 * _WIDTH), u8((_HEIGHT - 7) * _WIDTH)):
                m = _CHOSEN + k
                s[_SUMS + k] = half * (s[m - _ONE] + s[m + _ONE]) + s[m]
            for y in range(top, min(top + BLOCK_ROWS, last)):
                own = cfa[y & 1, 0] + cfa[y & 1, 1] - 1  # the row's colour other than green
                at = u8(y - top + _MARGIN) * _W + u8(_MARGIN)
                o = out[y, left : min(left + _BLOCK_COLUMNS, width)]
                p, q, r = f4(1) / gain[own], f4(1) / gain[1], f4(1) / gain[2 - own]
                if own == 0:
                    for x in range(u8(o.shape[0])):
                        g, a, b = developed(s, at + x)
                        o[x, 0] = min(a * a * p, f4(1))
                        o[x, 1] = min(g * g * q, f4(1))
                        o[x, 2] = min(b * b * r, f4(1))
                else:
                    for x in range(u8(o.shape[0])):
                        g, a, b = developed(s, at + x)
                        o[x, 0] = min(b * b * r, f4(1))
                        o[x, 1] = min(g * g * q, f4(1))
                        o[x, 2] = min(a * a * p, f4(1))


@inlined
def developed(s, k):
    """Return green, the row's own colour and the other one at a position of the block, clipped at 0."""
    m = _SUMS + k
    g = s[k] - s[_CHOSEN + k]
    a = g + s[m]
    b = g + f4(0.5) * (s[m - _W] + s[m + _W])
    return max(g, f4(0)), max(a, f4(0)), max(b, f4(0))


@compiled
def upscale_rows(first, last, image, rows, row_taps, columns, column_taps, base, out):
    """Upscale rows base + first .. base + last of the image, in out from `first` on; see `stage.upscale`.

    Row o is the sum of four rows from rows[o] on, repeated beyond the border, weighted by row_taps[o]; columns likewise.
    """
    height, width = image.shape[:2]
    wide = columns.shape[0]
    line = np.empty(3 * (width + 4), f4)  # square roots of a row, with two more pixels on either side
    ring = np.empty((4, 3 * wide), f4)  # rows of the image, upscaled along x; row r in r % 4
    held = np.full(4, -1)
    starts = np.empty(wide, u8)
    for o in range(wide):
        starts[o] = 3 * (columns[o] + 2)
    for o in range(base + first, base + last):
        for k in range(4):
            r = min(max(rows[o] + k, 0), height - 1)
            if held[r & 3] != r:
                held[r & 3] = r
                source = image[r]
                for x in range(u8(width)):
                    for c in range(u8(3)):
                        line[u8(6) + u8(3) * x + c] = math.sqrt(max(source[x, c], f4(0)))
                for x in range(2):
                    for c in range(3):
                        line[3 * x + c] = line[6 + c]
                        line[3 * (width + 2 + x) + c] = line[3 * (width + 1) + c]
                slot = u8(r & 3)
                for x in range(u8(wide)):
                    a, b, d, e = column_taps[x, 0], column_taps[x, 1], column_taps[x, 2], column_taps[x, 3]
                    at = starts[x]
                    for c in range(u8(3)):
                        m = at + c
                        ring[slot, u8(3) * x + c] = a * line[m] + b * line[m + u8(3)] + d * line[m + u8(6)] + e * line[m + u8(9)]
        i = u8(min(max(rows[o], 0), height - 1) & 3)
        j = u8(min(max(rows[o] + 1, 0), height - 1) & 3)
        k = u8(min(max(rows[o] + 2, 0), height - 1) & 3)
        n = u8(min(max(rows[o] + 3, 0), height - 1) & 3)
        a, b, d, e = row_taps[o, 0], row_taps[o, 1], row_taps[o, 2], row_taps[o, 3]
        flat = out[o - base].reshape(3 * wide)
        for x in range(u8(3 * wide)):
            v = max(a * ring[i, x] + b * ring[j, x] + d * ring[k, x] + e * ring[n, x], f4(0))
            flat[x] = v * v
