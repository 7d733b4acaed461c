"""Loops of the merge: all frames into a band of output rows. Same sums as `naive.py`.

num_c(o) = sum over frames and the 3 x 3 samples around q = p + flow(p) of  R(p) exp(-1/2 d^T Omega^-1 d) x,   den_c likewise without x   (Wronski 2019, eq. 1)

Sums of a few rows stay in cache over all frames. `block_loops` finds the nearest samples of a block of pixels, `weigh_loops` weighs and adds them.
"""

import math

import numpy as np

from burstsr.core.flow_loops import between_tiles
from burstsr.core.jit import compiled
from burstsr.merge.block_loops import gather, mixed, phases_of, place, shifts_at, spread
from burstsr.merge.weigh_loops import BLOCK, BORDER, CHUNK, KERNEL, SUMS, kernels_of, weigh

f4 = np.float32
u8 = np.uint64
GROUP = 8  # rows of CFA cells per group, whose sums stay in cache


@compiled
def add_frame(
    q0,
    q1,
    k0,
    count,
    y,
    row_of,
    row_share,
    rows,
    lower,
    share,
    offset,
    flow,
    robustness_maps,
    kernels,
    planes,
    base,
    size,
    stride,
    top,
    red,
    shape,
    scratch,
    sums,
    masks=None,
):
    """Add a frame's samples to the sums of a chunk of CFA cells, rows q0 .. q1. masks: see `weigh`.

    y, row_of, row_share: of output rows, from rows[q0] on: raw position, tile row, fraction towards the next. robustness_maps: (q1 - q0, w).
    """
    height, width = shape
    shifts, bounds, robustness, s = scratch
    subpixel_phases = lower.shape[0]
    last = flow.shape[0] - 1
    known0 = -1  # tile rows whose shifts are cached in the two slots
    known1 = -1
    for q in range(q0, q1):
        most = f4(0)
        for n in range(count):
            robustness[n] = robustness_maps[q - q0, k0 + n]
            most = max(most, robustness[n])
        for n in range(count, CHUNK):
            robustness[n] = f4(0)
        if most == f4(0):
            continue
        for oy in range(rows[q] - rows[q0], rows[q + 1] - rows[q0]):
            i = row_of[oy]
            v = row_share[oy]
            for tile_row in range(i, min(i + 1, last) + 1):
                if tile_row != (known1 if tile_row & 1 else known0):
                    shifts_at(flow, tile_row, lower, share, offset, k0, u8(tile_row & 1), shifts, bounds)
                    if tile_row & 1:
                        known1 = tile_row
                    else:
                        known0 = tile_row
            slot = u8(i & 1)
            slot1 = u8(min(i + 1, last) & 1)
            whole = int(math.floor(y[oy] + 0.5))
            part = f4(y[oy] - whole)
            for p in range(u8(subpixel_phases)):
                for m in range(u8((count + BLOCK - 1) // BLOCK)):
                    low, high = mixed(bounds[slot, p, m, 0], bounds[slot, p, m, 1], bounds[slot1, p, m, 0], bounds[slot1, p, m, 1], v)
                    left, right = mixed(bounds[slot, p, m, 2], bounds[slot, p, m, 3], bounds[slot1, p, m, 2], bounds[slot1, p, m, 3], v)
                    if f4(whole) + high + part < f4(-1) or f4(whole) + low + part > f4(height):
                        continue
                    n0 = m * u8(BLOCK)
                    x0 = 2 * (k0 + np.int64(n0))
                    cy = int(math.floor(low + part + f4(0.499)))
                    cx = int(math.floor(left + f4(0.499)))
                    alike = cy == int(math.floor(high + part + f4(0.501))) and cx == int(math.floor(right + f4(0.501)))
                    alike = alike and whole + cy >= 1 and whole + cy < height - 1 and x0 + cx >= 1 and x0 + cx + 2 * BLOCK < width
                    if alike:
                        place(s, shifts, slot, slot1, p, n0, v, f4(cy) - part, f4(cx), robustness)
                    else:
                        spread(s, shifts, slot, slot1, p, n0, v, part, f4(whole), f4(x0), f4(height), f4(width), robustness)
                    n = 0
                    while n < BLOCK:
                        if alike:
                            n = BLOCK
                        else:  # pixels with the same nearest sample are processed together
                            while n < BLOCK and s[5 * BLOCK + n] == f4(0):
                                n += 1
                            if n == BLOCK:
                                break
                            cy = int(s[3 * BLOCK + n])
                            cx = int(s[4 * BLOCK + n])
                            gather(s, n)
                        row = whole + cy + red[0] + BORDER - top
                        column = x0 + cx + red[1] + BORDER
                        kernel_at = u8((q - q0) * KERNEL * CHUNK) + n0
                        sums_at = (u8(oy * subpixel_phases) + p) * u8(SUMS * CHUNK) + n0
                        weigh(s, kernels, kernel_at, planes, base, size, stride, row, column, sums, sums_at, masks)


@compiled
def finish(q0, q1, k0, count, subpixel_phases, rows, columns, sums, weight, image, weights):
    """Normalise the sums into the image, whose previous content has weight `weight`, and store the sums of weights."""
    for oy in range(rows[q0], rows[q1]):
        for p in range(subpixel_phases):
            for n in range(count):
                ox = columns[k0 + n] + p
                if ox < columns[k0 + n + 1]:
                    at = ((oy - rows[q0]) * subpixel_phases + p) * SUMS * CHUNK + n
                    for c in range(3):
                        den = sums[u8(at + (3 + c) * CHUNK)]
                        image[oy, ox, c] = (weight * image[oy, ox, c] + sums[u8(at + c * CHUNK)]) / (weight + den)
                        if weights.size > 0:
                            weights[oy, ox, c] = den


@compiled
def accumulate(
    first, last, planes, bases, tops, sizes, stride, shape, red, scale, flows, tile, kernel, robustness_maps, weight, rows, columns, image, weights, masks=None
):
    """Merge all frames into the output rows of CFA cell rows first .. last.

    planes: float32, the frames' planes in sequence; bases, tops, sizes (N,): index of each frame's first, their first row Y (even), samples per plane.
    stride: of a plane's row. shape: (H, W) of a frame. red: row and column of red in a CFA cell. flows: (N, nty, ntx, 2). kernel: (h, w, 3).
    robustness_maps: (N, last - first, w). rows (h + 1,), columns (w + 1,): first output row and column of each cell. image (H', W', 3): fallback with
    `weight`; overwritten with the merged image. weights (H', W', 3): set to the sums of weights; of size 0 if not needed. masks: see `weigh`.
    """
    cells = kernel.shape[1]
    chunks = (cells + CHUNK - 1) // CHUNK
    lower, share, offset = phases_of(columns, scale, tile, flows.shape[2], chunks)
    subpixel_phases = lower.shape[0]
    y = np.empty(rows[last] - rows[first])
    for o in range(len(y)):
        y[o] = (rows[first] + o + 0.5) / scale - 0.5
    row_of, row_share = between_tiles(y, tile, flows.shape[1])
    most = 0
    for q in range(first, last, GROUP):
        most = max(most, rows[min(q + GROUP, last)] - rows[q])
    sums = np.empty(most * subpixel_phases * SUMS * CHUNK, f4)
    kernels = np.empty((GROUP, KERNEL, CHUNK), f4)
    shifts = np.empty((2, subpixel_phases, 2, CHUNK), f4)
    bounds = np.empty((2, subpixel_phases, CHUNK // BLOCK, 4), f4)
    scratch = (shifts, bounds, np.zeros(CHUNK, f4), np.zeros(6 * BLOCK, f4))
    for q0 in range(first, last, GROUP):
        q1 = min(q0 + GROUP, last)
        o0 = rows[q0] - rows[first]
        for k0 in range(0, cells, CHUNK):
            count = min(CHUNK, cells - k0)
            kernels_of(kernel, q0, q1 - q0, k0, count, kernels)
            sums[:] = f4(0)
            for f in range(flows.shape[0]):
                add_frame(
                    q0,
                    q1,
                    k0,
                    count,
                    y[o0:],
                    row_of[o0:],
                    row_share[o0:],
                    rows,
                    lower,
                    share,
                    offset,
                    flows[f],
                    robustness_maps[f, q0 - first : q1 - first],
                    kernels.reshape(-1),
                    planes,
                    bases[f],
                    sizes[f],
                    stride,
                    tops[f],
                    red,
                    shape,
                    scratch,
                    sums,
                    masks,
                )
            finish(q0, q1, k0, count, subpixel_phases, rows, columns, sums, weight, image, weights)
