"""Layout of a plane's columns for vectorised block transforms: column n step + m of the lattice of blocks is stored as value n of part m.

The same column of neighbouring blocks is thus contiguous.
"""

import numpy as np

from burstsr.core.jit import compiled
from burstsr.reconstruct.dct_loops import SIDE

f4 = np.float32
LANES = 16  # blocks per vector
LINE = 592  # row stride of the layout, values
MOST = 304  # row stride of one value per block


@compiled
def lattice(length, offset, step):
    """Return the first pixel of the first block, at most 0, and the number of blocks, at offset + n step, that cover 0 .. length."""
    first = offset - step if offset > 0 else 0
    return first, (length - SIDE - first + step - 1) // step + 1


@compiled
def mirrored(i, length):
    """Return the pixel of 0 .. length that mirrors an index outside it."""
    if i < 0:
        return -i
    return i if i < length else 2 * (length - 1) - i


@compiled
def deal(plane, first_y, rows, first_x, columns, step, part, dealt):
    """Write dealt[y LINE + m part + n] = plane[first_y + y, first_x + n step + m] for `rows` and `columns`, mirrored beyond the plane.

    The rest, up to `part`, is set to zero.
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
    """Compute total = dealt / weight, the inverse of `deal`. weight[y MOST + n] is that of n, below `covered`, in every part of row y."""
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
