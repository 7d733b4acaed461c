"""The prior's loops: overlapping 8 x 8 blocks are shrunk towards what noise does not explain, in their cosine transform. As in `paper.py`.

First every coefficient below `threshold` noise deviations falls (hard threshold), then, with that picture as pilot, every coefficient counts by
pilot^2 / (pilot^2 + variance) (empirical Wiener filter; Ghael, Sayeed & Baraniuk 1997; with overlapping blocks Yaroslavsky 1996). Blocks count by the
inverse of the noise they keep.

The transform is separable and linear: columns are transformed once for all blocks of a row, and transformed back once after these were added up.
Scratch lies at constant distances and indices are unsigned, so that LLVM vectorises.
"""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32
SIDE = 8
LINE = 256  # longest row
LEAST_VARIANCE = 1e-12
C1, C2, C3, C4, C5, C6, C7 = (f4(0.5 * math.cos(k * math.pi / 16)) for k in range(1, 8))


@inlined
def forward(a0, a1, a2, a3, a4, a5, a6, a7):
    """Orthonormal DCT-II of eight values, by its even and odd halves."""
    e0 = a0 + a7
    e1 = a1 + a6
    e2 = a2 + a5
    e3 = a3 + a4
    o0 = a0 - a7
    o1 = a1 - a6
    o2 = a2 - a5
    o3 = a3 - a4
    p = e0 + e3
    q = e1 + e2
    u = e0 - e3
    v = e1 - e2
    return (
        C4 * (p + q),
        C1 * o0 + C3 * o1 + C5 * o2 + C7 * o3,
        C2 * u + C6 * v,
        C3 * o0 - C7 * o1 - C1 * o2 - C5 * o3,
        C4 * (p - q),
        C5 * o0 - C1 * o1 + C7 * o2 + C3 * o3,
        C6 * u - C2 * v,
        C7 * o0 - C5 * o1 + C3 * o2 - C1 * o3,
    )


@inlined
def backward(b0, b1, b2, b3, b4, b5, b6, b7):
    """The inverse."""
    p = C4 * (b0 + b4)
    q = C4 * (b0 - b4)
    u = C2 * b2 + C6 * b6
    v = C6 * b2 - C2 * b6
    e0 = p + u
    e3 = p - u
    e1 = q + v
    e2 = q - v
    o0 = C1 * b1 + C3 * b3 + C5 * b5 + C7 * b7
    o1 = C3 * b1 - C7 * b3 - C1 * b5 - C5 * b7
    o2 = C5 * b1 - C1 * b3 + C7 * b5 + C3 * b7
    o3 = C7 * b1 - C5 * b3 + C3 * b5 - C1 * b7
    return e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0


@inlined
def columns_forward(plane, y, width, lines, columns):
    """columns[8 x + k] = frequency k of plane[y : y + 8, x]. lines: scratch, 8 rows of LINE."""
    for i in range(SIDE):
        row = plane[y + i]
        line = lines[i * LINE : i * LINE + width]
        for x in range(width):
            line[x] = row[x]
    for n in range(width):
        x = np.uint64(n)
        c = forward(
            lines[x],
            lines[x + np.uint64(LINE)],
            lines[x + np.uint64(2 * LINE)],
            lines[x + np.uint64(3 * LINE)],
            lines[x + np.uint64(4 * LINE)],
            lines[x + np.uint64(5 * LINE)],
            lines[x + np.uint64(6 * LINE)],
            lines[x + np.uint64(7 * LINE)],
        )
        lines[x] = c[0]
        lines[x + np.uint64(LINE)] = c[1]
        lines[x + np.uint64(2 * LINE)] = c[2]
        lines[x + np.uint64(3 * LINE)] = c[3]
        lines[x + np.uint64(4 * LINE)] = c[4]
        lines[x + np.uint64(5 * LINE)] = c[5]
        lines[x + np.uint64(6 * LINE)] = c[6]
        lines[x + np.uint64(7 * LINE)] = c[7]
    for n in range(width):
        for i in range(SIDE):
            columns[np.uint64(SIDE * n + i)] = lines[np.uint64(i * LINE + n)]


@inlined
def columns_backward(columns, width, lines):
    """lines[i LINE + x] = value i of the column with frequencies columns[8 x : 8 x + 8]."""
    for n in range(width):
        for i in range(SIDE):
            lines[np.uint64(i * LINE + n)] = columns[np.uint64(SIDE * n + i)]
    for n in range(width):
        x = np.uint64(n)
        c = backward(
            lines[x],
            lines[x + np.uint64(LINE)],
            lines[x + np.uint64(2 * LINE)],
            lines[x + np.uint64(3 * LINE)],
            lines[x + np.uint64(4 * LINE)],
            lines[x + np.uint64(5 * LINE)],
            lines[x + np.uint64(6 * LINE)],
            lines[x + np.uint64(7 * LINE)],
        )
        lines[x] = c[0]
        lines[x + np.uint64(LINE)] = c[1]
        lines[x + np.uint64(2 * LINE)] = c[2]
        lines[x + np.uint64(3 * LINE)] = c[3]
        lines[x + np.uint64(4 * LINE)] = c[4]
        lines[x + np.uint64(5 * LINE)] = c[5]
        lines[x + np.uint64(6 * LINE)] = c[6]
        lines[x + np.uint64(7 * LINE)] = c[7]


@inlined
def rows_forward(columns, x, block):
    """block[8 m + k] = frequency (k down, m along) of the block whose first column is x."""
    base = np.uint64(SIDE * x)
    for i in range(SIDE):
        k = np.uint64(i)
        c = forward(
            columns[base + k],
            columns[base + k + np.uint64(8)],
            columns[base + k + np.uint64(16)],
            columns[base + k + np.uint64(24)],
            columns[base + k + np.uint64(32)],
            columns[base + k + np.uint64(40)],
            columns[base + k + np.uint64(48)],
            columns[base + k + np.uint64(56)],
        )
        block[k] = c[0]
        block[k + np.uint64(8)] = c[1]
        block[k + np.uint64(16)] = c[2]
        block[k + np.uint64(24)] = c[3]
        block[k + np.uint64(32)] = c[4]
        block[k + np.uint64(40)] = c[5]
        block[k + np.uint64(48)] = c[6]
        block[k + np.uint64(56)] = c[7]


@inlined
def add_rows_backward(block, x, share, columns):
    """columns += share times the block's columns, still as frequencies down."""
    base = np.uint64(SIDE * x)
    for i in range(SIDE):
        k = np.uint64(i)
        c = backward(
            block[k],
            block[k + np.uint64(8)],
            block[k + np.uint64(16)],
            block[k + np.uint64(24)],
            block[k + np.uint64(32)],
            block[k + np.uint64(40)],
            block[k + np.uint64(48)],
            block[k + np.uint64(56)],
        )
        columns[base + k] += share * c[0]
        columns[base + k + np.uint64(8)] += share * c[1]
        columns[base + k + np.uint64(16)] += share * c[2]
        columns[base + k + np.uint64(24)] += share * c[3]
        columns[base + k + np.uint64(32)] += share * c[4]
        columns[base + k + np.uint64(40)] += share * c[5]
        columns[base + k + np.uint64(48)] += share * c[6]
        columns[base + k + np.uint64(56)] += share * c[7]


@compiled
def shrink(plane, variance, pilot, use_pilot, strength, offset_y, offset_x, step, total, weight):
    """Shrink one plane (h, w), 8 <= w <= 256 and h >= 8, with noise variance (h, w), block by block; into total (h, w); weight (h, w) is scratch.

    Blocks start at offset + n step, and at the borders. strength: threshold in deviations, or with a pilot the factor on variance.
    """
    height, width = plane.shape
    lines = np.zeros(SIDE * LINE, f4)
    own_columns = np.zeros(SIDE * LINE, f4)
    pilot_columns = np.zeros(SIDE * LINE, f4)
    sums = np.zeros(SIDE * LINE, f4)
    shares = np.zeros(LINE, f4)
    own = np.zeros(SIDE * SIDE, f4)
    guide = np.zeros(SIDE * SIDE, f4)
    total[:] = f4(0)
    weight[:] = f4(0)
    rows = (height - SIDE - offset_y + step - 1) // step + 2
    columns = (width - SIDE - offset_x + step - 1) // step + 2
    for by in range(rows):
        y = 0 if by == 0 else min(offset_y + (by - 1) * step, height - SIDE)
        columns_forward(plane, y, width, lines, own_columns)
        if use_pilot:
            columns_forward(pilot, y, width, lines, pilot_columns)
        for k in range(SIDE * width):
            sums[k] = f4(0)
        for k in range(width):
            shares[k] = f4(0)
        for bx in range(columns):
            x = 0 if bx == 0 else min(offset_x + (bx - 1) * step, width - SIDE)
            v = max(variance[y + SIDE // 2, x + SIDE // 2], f4(LEAST_VARIANCE))
            rows_forward(own_columns, x, own)
            mean = own[0]
            kept = f4(0)
            if use_pilot:
                rows_forward(pilot_columns, x, guide)
                limit = strength * v
                for k in range(SIDE * SIDE):
                    square = guide[k] * guide[k]
                    factor = square / (square + limit)
                    own[k] *= factor
                    kept += factor * factor
            else:
                limit = strength * strength * v
                for k in range(SIDE * SIDE):
                    factor = f4(1) if own[k] * own[k] >= limit else f4(0)
                    own[k] *= factor
                    kept += factor
            own[0] = mean
            share = f4(1) / (max(kept, f4(1)) * v)
            add_rows_backward(own, x, share, sums)
            for k in range(SIDE):
                shares[x + k] += share
        columns_backward(sums, width, lines)
        for i in range(SIDE):
            row = total[y + i]
            line = lines[i * LINE : i * LINE + width]
            for k in range(width):
                row[k] += line[k]
            row = weight[y + i]
            for k in range(width):
                row[k] += shares[k]
    for y in range(height):
        for x in range(width):
            total[y, x] /= weight[y, x]
