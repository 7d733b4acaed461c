"""A plane's columns dealt out, so that the same column of neighbouring blocks lies side by side: column n step + m of the blocks' lattice is value n of
part m.
"""

import numpy as np

from burstsr.core.jit import compiled
from burstsr.reconstruct.dct_loops import SIDE

f4 = np.float32
LANES = 16  # blocks in a vector
LINE = 592  # values from row to row of what is dealt out
MOST = 304  # the same of blocks, one value each


@compiled
def lattice(length, offset, step):
    """First pixel of the first block, not after 0, and number of blocks that cover 0 .. length, at offset + n step."""
    first = offset - step if offset > 0 else 0
    return first, (length - SIDE - first + step - 1) // step + 1


@compiled
def mirrored(i, length):
    """A pixel of 0 .. length for one beside it."""
    if i < 0:
        return -i
    return i if i < length else 2 * (length - 1) - i


@compiled
def deal(plane, first_y, rows, first_x, columns, step, part, dealt):
    """dealt[y LINE + m part + n] = plane[first_y + y, first_x + n step + m] for `rows` and `columns` from there on, mirrored beyond the plane;
    zeros behind them, up to `part`.
    """
    height, width = plane.shape
    for y in range(rows):
        row = plane[mirrored(first_y + y, height)]
        for m in range(step):
            place = np.uint64(y * LINE + m * part)
            x = first_x + m
            n = 0
            while x < 0:
                dealt[place + np.uint64(n)] = row[-x]
                n += 1
                x += step
            inside = min((width - x + step - 1) // step, (columns - m + step - 1) // step - n)
            for k in range(inside):
                dealt[place + np.uint64(n + k)] = row[np.uint64(x + k * step)]
            n += inside
            x += inside * step
            while x < first_x + columns:
                dealt[place + np.uint64(n)] = row[2 * (width - 1) - x]
                n += 1
                x += step
            for k in range(n, part):
                dealt[place + np.uint64(k)] = f4(0)


@compiled
def collect(dealt, weight, first_y, first_x, step, part, covered, total):
    """total = dealt / weight, the inverse of `deal`. weight[y MOST + n] is that of n, below `covered`, in every part of row y."""
    height, width = total.shape
    for y in range(height):
        row = total[y]
        place = np.uint64((y - first_y) * LINE)
        heavy = np.uint64((y - first_y) * MOST)
        for m in range(step):
            for n in range(covered):
                k = np.uint64(n)
                dealt[place + np.uint64(m * part) + k] /= weight[heavy + k]
        for m in range(step):
            begin = (m + first_x) % step
            shift = place + np.uint64(m * part + (begin - first_x) // step)
            for k in range((width - begin + step - 1) // step):
                row[np.uint64(begin + k * step)] = dealt[shift + np.uint64(k)]
