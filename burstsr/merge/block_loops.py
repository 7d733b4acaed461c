"""Where the output pixels of a block find their nearest samples: shifts along a row, and distances. See `loops.py`."""

import math

import numpy as np

from burstsr.core.flow_loops import between_tiles
from burstsr.core.jit import compiled, inlined
from burstsr.merge.weigh_loops import BLOCK, CHUNK

f4 = np.float32
u8 = np.uint64


@compiled
def shifts_at(flow, i, lower, share, offset, k0, slot, out, bounds):
    """Compute the shifts of a chunk's pixels at tile row i, phase by phase: out[slot] (phases, 2, CHUNK) of dy, and dx + the pixel's offset in its cell.

    bounds[slot] (phases, blocks, 4): smallest and largest dy, smallest and largest dx of each block.
    """
    last = flow.shape[1] - 1
    for p in range(lower.shape[0]):
        for n in range(CHUNK):
            j = u8(lower[p, k0 + n])
            j1 = min(j + u8(1), u8(last))
            u = share[p, k0 + n]
            out[slot, p, 0, n] = flow[i, j, 0] + u * (flow[i, j1, 0] - flow[i, j, 0])
            out[slot, p, 1, n] = flow[i, j, 1] + u * (flow[i, j1, 1] - flow[i, j, 1]) + offset[p, k0 + n]
        for m in range(CHUNK // BLOCK):
            for axis in range(2):
                low = f4(np.inf)
                high = f4(-np.inf)
                for n in range(u8(m * BLOCK), u8(m * BLOCK + BLOCK)):
                    low = min(low, out[slot, p, axis, n])
                    high = max(high, out[slot, p, axis, n])
                bounds[slot, p, m, 2 * axis] = low
                bounds[slot, p, m, 2 * axis + 1] = high


@inlined
def mixed(low, high, next_low, next_high, v):
    """Return bounds of (1 - v) f + v g from those of f and g; v may be outside 0 .. 1."""
    u = f4(1) - v
    least = (u * low if u >= f4(0) else u * high) + (v * next_low if v >= f4(0) else v * next_high)
    largest = (u * high if u >= f4(0) else u * low) + (v * next_high if v >= f4(0) else v * next_low)
    return least, largest


@compiled
def spread(s, shifts, slot, slot1, p, n0, v, part, whole, x0, height, width, robustness):
    """Compute distances of a block's pixels to their nearest samples, 0 outside the frame; then those samples' offsets, and robustness.

    Offsets are relative to row `whole` and to each cell's first column. x0: first column of the block.
    """
    half = f4(0.5)
    u = f4(1) - v
    for n in range(BLOCK):
        t = u * shifts[slot, p, 0, n0 + n] + v * shifts[slot1, p, 0, n0 + n] + part
        r = u * shifts[slot, p, 1, n0 + n] + v * shifts[slot1, p, 1, n0 + n]
        x = x0 + f4(2 * n)
        inside = t >= -whole - half and t <= height - whole - half and r >= -x - half and r <= width - x - half
        cy = min(max(math.floor(t + half), -whole), height - f4(1) - whole)
        cx = min(max(math.floor(r + half), -x), width - f4(1) - x)
        s[n] = cy - t if inside else f4(0)
        s[BLOCK + n] = cx - r if inside else f4(0)
        s[3 * BLOCK + n] = cy
        s[4 * BLOCK + n] = cx
        s[5 * BLOCK + n] = robustness[n0 + n] if inside else f4(0)


@compiled
def gather(s, n):
    """Select the block's pixels with the same nearest sample as the n-th: move their robustness to the working slot, clearing the pending one."""
    cy = s[3 * BLOCK + n]
    cx = s[4 * BLOCK + n]
    for o in range(BLOCK):
        same = s[3 * BLOCK + o] == cy and s[4 * BLOCK + o] == cx
        s[2 * BLOCK + o] = s[5 * BLOCK + o] if same else f4(0)
        s[5 * BLOCK + o] = f4(0) if same else s[5 * BLOCK + o]


@compiled
def place(s, shifts, slot, slot1, p, n0, v, cy, cx, robustness):
    """Compute distances of a block's pixels to their common nearest sample (cy, cx), and robustness."""
    u = f4(1) - v
    for n in range(u8(BLOCK)):
        s[n] = cy - (u * shifts[slot, p, 0, n0 + n] + v * shifts[slot1, p, 0, n0 + n])
        s[u8(BLOCK) + n] = cx - (u * shifts[slot, p, 1, n0 + n] + v * shifts[slot1, p, 1, n0 + n])
        s[u8(2 * BLOCK) + n] = robustness[n0 + n]


@compiled
def phases_of(columns, scale, tile, tiles, chunks):
    """Return, for each phase's pixels along a row, (phases, cells in whole chunks): tile index, fraction towards the next tile, offset in the CFA cell.

    Cells with fewer pixels repeat their last.
    """
    cells = len(columns) - 1
    subpixel_phases = 0
    for k in range(cells):
        subpixel_phases = max(subpixel_phases, columns[k + 1] - columns[k])
    lower = np.zeros((subpixel_phases, chunks * CHUNK), np.int64)
    share = np.zeros((subpixel_phases, chunks * CHUNK), f4)
    offset = np.zeros((subpixel_phases, chunks * CHUNK), f4)
    x = np.empty(cells)
    for p in range(subpixel_phases):
        for k in range(cells):
            x[k] = (min(columns[k] + p, columns[k + 1] - 1) + 0.5) / scale - 0.5
            offset[p, k] = x[k] - 2 * k
        before, towards = between_tiles(x, tile, tiles)
        for k in range(cells):  # not slices, whose checks of shapes take longer to compile than this function
            lower[p, k] = before[k]
            share[p, k] = towards[k]
    return lower, share, offset
