"""Loops of the prior: shrinkage of the DCT coefficients of overlapping 8 x 8 blocks. Same arithmetic as `naive.py`.

First coefficients below `threshold` noise standard deviations are set to zero (hard threshold); then, with the result as pilot, every coefficient is
multiplied by pilot^2 / (pilot^2 + variance) (empirical Wiener filter; Ghael, Sayeed & Baraniuk 1997; with overlapping blocks Yaroslavsky 1996). Blocks are
averaged with the inverse of their remaining noise as weights.

The transform is separable and linear: columns are transformed once for all blocks of a row, and transformed back once after these were accumulated. The
blocks of a row are transformed in parallel, sixteen per vector: see `block_layout_loops`. Scratch has constant strides and indices are unsigned, for LLVM
to vectorise.
"""

import numpy as np

from burstsr.core.jit import compiled, inlined
from burstsr.reconstruct.block_layout_loops import LANES, LINE, MOST, collect, deal, lattice
from burstsr.reconstruct.dct_loops import SIDE, dct8, idct8

f4 = np.float32
LEAST_VARIANCE = 1e-12


def scratch_for(shape):
    """Allocate scratch memory for `shrink` on (h, w); allocation per call would add a third to its time."""
    rows = shape[0] + 2 * SIDE
    return np.empty(rows * LINE, f4), np.empty(rows * LINE, f4), np.empty(rows * LINE, f4), np.empty(rows * MOST, f4)


@compiled
def columns_forward(dealt, y, count, columns):
    """Compute columns[k LINE + x] = frequency k of rows y .. y + 8 of the layout, for `count` values."""
    place = np.uint64(y * LINE)
    for n in range(count):
        x = np.uint64(n)
        c = dct8(
            dealt[place + x],
            dealt[place + x + np.uint64(LINE)],
            dealt[place + x + np.uint64(2 * LINE)],
            dealt[place + x + np.uint64(3 * LINE)],
            dealt[place + x + np.uint64(4 * LINE)],
            dealt[place + x + np.uint64(5 * LINE)],
            dealt[place + x + np.uint64(6 * LINE)],
            dealt[place + x + np.uint64(7 * LINE)],
        )
        columns[x] = c[0]
        columns[x + np.uint64(LINE)] = c[1]
        columns[x + np.uint64(2 * LINE)] = c[2]
        columns[x + np.uint64(3 * LINE)] = c[3]
        columns[x + np.uint64(4 * LINE)] = c[4]
        columns[x + np.uint64(5 * LINE)] = c[5]
        columns[x + np.uint64(6 * LINE)] = c[6]
        columns[x + np.uint64(7 * LINE)] = c[7]


@compiled
def add_columns_backward(columns, y, count, dealt):
    """Add the inverse transform of columns[k LINE + x] to rows y .. y + 8."""
    place = np.uint64(y * LINE)
    for n in range(count):
        x = np.uint64(n)
        c = idct8(
            columns[x],
            columns[x + np.uint64(LINE)],
            columns[x + np.uint64(2 * LINE)],
            columns[x + np.uint64(3 * LINE)],
            columns[x + np.uint64(4 * LINE)],
            columns[x + np.uint64(5 * LINE)],
            columns[x + np.uint64(6 * LINE)],
            columns[x + np.uint64(7 * LINE)],
        )
        dealt[place + x] += c[0]
        dealt[place + x + np.uint64(LINE)] += c[1]
        dealt[place + x + np.uint64(2 * LINE)] += c[2]
        dealt[place + x + np.uint64(3 * LINE)] += c[3]
        dealt[place + x + np.uint64(4 * LINE)] += c[4]
        dealt[place + x + np.uint64(5 * LINE)] += c[5]
        dealt[place + x + np.uint64(6 * LINE)] += c[6]
        dealt[place + x + np.uint64(7 * LINE)] += c[7]


@inlined
def places(step, part):
    """Return the offsets of a block's other columns from its first."""
    return (
        np.uint64(1 % step * part + 1 // step),
        np.uint64(2 % step * part + 2 // step),
        np.uint64(3 % step * part + 3 // step),
        np.uint64(4 % step * part + 4 // step),
        np.uint64(5 % step * part + 5 // step),
        np.uint64(6 % step * part + 6 // step),
        np.uint64(7 % step * part + 7 // step),
    )


@inlined
def rows_forward(columns, place, o1, o2, o3, o4, o5, o6, o7):
    """Return the frequencies along the row of the block whose first column is at `place`, the others at offsets o1 .. o7."""
    return dct8(
        columns[place],
        columns[place + o1],
        columns[place + o2],
        columns[place + o3],
        columns[place + o4],
        columns[place + o5],
        columns[place + o6],
        columns[place + o7],
    )


@compiled
def hard_threshold(columns, count, step, part, limit, blocks, kept):
    """Threshold a row of blocks: frequencies (k down, m along) into blocks[(8 k + m) MOST + n], 0 where the square is below limit[n] of block n.

    kept: set to the number of coefficients kept.
    """
    o1, o2, o3, o4, o5, o6, o7 = places(step, part)
    for k in range(SIDE):
        place = np.uint64(k * LINE)
        row = np.uint64(SIDE * k * MOST)
        always = f4(1) if k == 0 else f4(0)  # the mean is always kept, and counted
        for i in range(count):
            n = np.uint64(i)
            c = rows_forward(columns, place + n, o1, o2, o3, o4, o5, o6, o7)
            least = limit[n]
            f0 = f4(1) if c[0] * c[0] >= least else f4(0)
            f1 = f4(1) if c[1] * c[1] >= least else f4(0)
            f2 = f4(1) if c[2] * c[2] >= least else f4(0)
            f3 = f4(1) if c[3] * c[3] >= least else f4(0)
            f4_ = f4(1) if c[4] * c[4] >= least else f4(0)
            f5 = f4(1) if c[5] * c[5] >= least else f4(0)
            f6 = f4(1) if c[6] * c[6] >= least else f4(0)
            f7 = f4(1) if c[7] * c[7] >= least else f4(0)
            at = row + n
            blocks[at] = max(f0, always) * c[0]
            blocks[at + np.uint64(MOST)] = f1 * c[1]
            blocks[at + np.uint64(2 * MOST)] = f2 * c[2]
            blocks[at + np.uint64(3 * MOST)] = f3 * c[3]
            blocks[at + np.uint64(4 * MOST)] = f4_ * c[4]
            blocks[at + np.uint64(5 * MOST)] = f5 * c[5]
            blocks[at + np.uint64(6 * MOST)] = f6 * c[6]
            blocks[at + np.uint64(7 * MOST)] = f7 * c[7]
            kept[n] += f0 + f1 + f2 + f3 + f4_ + f5 + f6 + f7


@inlined
def wiener(pilot, limit):
    """Return the factor of a coefficient, given its pilot."""
    square = pilot * pilot
    return square / (square + limit)


@compiled
def wiener_shrink(columns, guide, count, step, part, limit, blocks, kept):
    """Apply the Wiener filter to a row of blocks: each coefficient times square / (square + limit[n]), square of the pilot's, from columns `guide`."""
    o1, o2, o3, o4, o5, o6, o7 = places(step, part)
    for k in range(SIDE):
        place = np.uint64(k * LINE)
        row = np.uint64(SIDE * k * MOST)
        always = f4(1) if k == 0 else f4(0)
        for i in range(count):
            n = np.uint64(i)
            p = rows_forward(guide, place + n, o1, o2, o3, o4, o5, o6, o7)
            noise = limit[n]
            f0 = wiener(p[0], noise)
            f1 = wiener(p[1], noise)
            f2 = wiener(p[2], noise)
            f3 = wiener(p[3], noise)
            f4_ = wiener(p[4], noise)
            f5 = wiener(p[5], noise)
            f6 = wiener(p[6], noise)
            f7 = wiener(p[7], noise)
            c = rows_forward(columns, place + n, o1, o2, o3, o4, o5, o6, o7)
            at = row + n
            blocks[at] = max(f0, always) * c[0]
            blocks[at + np.uint64(MOST)] = f1 * c[1]
            blocks[at + np.uint64(2 * MOST)] = f2 * c[2]
            blocks[at + np.uint64(3 * MOST)] = f3 * c[3]
            blocks[at + np.uint64(4 * MOST)] = f4_ * c[4]
            blocks[at + np.uint64(5 * MOST)] = f5 * c[5]
            blocks[at + np.uint64(6 * MOST)] = f6 * c[6]
            blocks[at + np.uint64(7 * MOST)] = f7 * c[7]
            kept[n] += f0 * f0 + f1 * f1 + f2 * f2 + f3 * f3 + f4_ * f4_ + f5 * f5 + f6 * f6 + f7 * f7


@compiled
def add_up(rows, stride, parts, step, part, out, place):
    """Compute out[place + m part + n], sum over blocks of their contributions to value n of part m < `parts`.

    The block's own column m comes from block n, later columns from the blocks before it. rows[m stride + LANES + n]: column m of block n.
    """
    one = np.uint64(1)
    for m in range(parts):
        at = np.uint64(m * stride + LANES)
        b = at + np.uint64(stride * step)
        c = b + np.uint64(stride * step)
        d = c + np.uint64(stride * step)
        begin = np.uint64(place + m * part)
        if step == 2:
            for i in range(part):
                n = np.uint64(i)
                out[begin + n] = rows[at + n] + rows[b + n - one] + rows[c + n - one - one] + rows[d + n - one - one - one]
        elif step == 4:
            for i in range(part):
                n = np.uint64(i)
                out[begin + n] = rows[at + n] + rows[b + n - one]
        else:
            for i in range(part):
                n = np.uint64(i)
                out[begin + n] = rows[at + n]
            for t in range(1, SIDE // step):
                b = np.uint64(m * stride + LANES + t * stride * step - t)
                for i in range(part):
                    n = np.uint64(i)
                    out[begin + n] += rows[b + n]


@compiled
def rows_backward(blocks, count, share, step, part, rows, columns):
    """Compute columns[k LINE + x], the sum of the blocks' columns, still frequencies down, each times its block's weight. rows: scratch, MOST per column."""
    for k in range(SIDE):
        row = np.uint64(SIDE * k * MOST)
        for i in range(count):
            n = np.uint64(i)
            at = row + n
            c = idct8(
                blocks[at],
                blocks[at + np.uint64(MOST)],
                blocks[at + np.uint64(2 * MOST)],
                blocks[at + np.uint64(3 * MOST)],
                blocks[at + np.uint64(4 * MOST)],
                blocks[at + np.uint64(5 * MOST)],
                blocks[at + np.uint64(6 * MOST)],
                blocks[at + np.uint64(7 * MOST)],
            )
            at = n + np.uint64(LANES)
            s = share[at]
            rows[at] = s * c[0]
            rows[at + np.uint64(MOST)] = s * c[1]
            rows[at + np.uint64(2 * MOST)] = s * c[2]
            rows[at + np.uint64(3 * MOST)] = s * c[3]
            rows[at + np.uint64(4 * MOST)] = s * c[4]
            rows[at + np.uint64(5 * MOST)] = s * c[5]
            rows[at + np.uint64(6 * MOST)] = s * c[6]
            rows[at + np.uint64(7 * MOST)] = s * c[7]
        add_up(rows, MOST, step, step, part, columns, k * LINE)


@compiled
def shrink(plane, variance, pilot, use_pilot, strength, offset_y, offset_x, step, scratch, total):
    """Shrink one plane (h, w), h and w from 8 to 256, with noise variance (h, w), block by block; into total (h, w).

    Blocks start at offset + n step and cover the plane, which is mirrored beyond its borders. strength: threshold in standard deviations, or with a pilot the
    factor of the variance. scratch: see `scratch_for`.
    """
    height, width = plane.shape
    first_y, down = lattice(height, offset_y, step)
    first_x, along = lattice(width, offset_x, step)
    rows = (down - 1) * step + SIDE
    covered = (along - 1) * step + SIDE
    count = (along + LANES - 1) // LANES * LANES
    part = count + LANES if step < SIDE else count
    size = step * part
    dealt, guide, sums, weight = scratch
    own_columns = np.zeros(SIDE * LINE, f4)
    guide_columns = np.zeros(SIDE * LINE, f4)
    columns = np.zeros(SIDE * LINE, f4)
    blocks = np.zeros(SIDE * SIDE * MOST, f4)
    of_blocks = np.zeros(SIDE * MOST, f4)
    limit = np.ones(MOST, f4)
    certainty = np.zeros(MOST, f4)
    kept = np.zeros(MOST, f4)
    share = np.zeros(MOST, f4)
    heavy = np.zeros(MOST, f4)
    deal(plane, first_y, rows, first_x, covered, step, part, dealt)
    if use_pilot:
        deal(pilot, first_y, rows, first_x, covered, step, part, guide)
    for y in range(rows):
        for n in range(size):
            sums[np.uint64(y * LINE + n)] = f4(0)
        for n in range(part):
            weight[np.uint64(y * MOST + n)] = f4(0)
    factor = strength if use_pilot else strength * strength
    for by in range(down):
        y = by * step
        noise = variance[min(first_y + y + SIDE // 2, height - 1)]
        for n in range(along):
            v = max(noise[np.uint64(min(first_x + n * step + SIDE // 2, width - 1))], f4(LEAST_VARIANCE))
            limit[n] = factor * v
            certainty[n] = f4(1) / v
        for n in range(count):
            kept[n] = f4(0)
        columns_forward(dealt, y, size, own_columns)
        if use_pilot:
            columns_forward(guide, y, size, guide_columns)
            wiener_shrink(own_columns, guide_columns, count, step, part, limit, blocks, kept)
        else:
            hard_threshold(own_columns, count, step, part, limit, blocks, kept)
        for n in range(count):
            share[np.uint64(LANES + n)] = certainty[np.uint64(n)] / max(kept[np.uint64(n)], f4(1))
        rows_backward(blocks, count, share, step, part, of_blocks, columns)
        add_columns_backward(columns, y, size, sums)
        add_up(share, 0, 1, step, part, heavy, 0)
        for i in range(SIDE):
            row = np.uint64((y + i) * MOST)
            for n in range(part):
                weight[row + np.uint64(n)] += heavy[np.uint64(n)]
    collect(sums, weight, first_y, first_x, step, part, covered // step, total)
