"""Loops of the merge: all frames into a band of output rows. Same sums as `naive.py`.

num_c(o) = sum over frames and the 3 x 3 samples around q = p + flow(p) of  R(p) exp(-1/2 d^T Omega^-1 d) x,   den_c likewise without x   (Wronski 2019, eq. 1)

Vectorisation. Output pixels are processed phase by phase: the n-th output pixel of every CFA cell along a row. Neighbours in a loop then have
neighbouring kernels, robustness and samples, given that the samples of the four CFA sites are stored separately ("planes"), and the colour of each
sample is known outside the loop. Sums of a few rows stay in cache over all frames. The nine weights factorise: with d = (ey + i, ex + j) and
-1/2 Omega^-1 = [[a, b/2], [b/2, c]], exp(d^T .. d) = exp(ey, ex) U^i V^j exp(a)^|i| exp(c)^|j| exp(b)^ij, U = exp(2 a ey + b ex), V = exp(2 c ex + b ey):
three exponentials per pixel instead of nine.

Planes: raw (y, x) is stored in plane (Y % 2, X % 2) at (Y // 2, X // 2) with Y = y + red's row + 2, X = x + red's column + 2; plane 0 is red, 3 blue.
"""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64
BLOCK = 64  # CFA cells per block: four vectors of 16
CHUNK = 128  # CFA cells per chunk, whose sums stay in cache
GROUP = 8  # rows of CFA cells per group, whose sums stay in cache
NARROWEST = f4(100.0)  # 1/px^2; largest trace of the inverse covariance: beyond, weights would overflow
BORDER = 2  # added to raw coordinates before they are split into planes
_SUMS = 6  # num and den of three colours
_KERNEL = 7  # a, b, c, and the exponentials of a, c, b, -b


@inlined
def exp(x):
    """Approximate the exponential of -80 to 80, relative error 1.5e-4 from -20 to 20. A polynomial, since libm's does not vectorise.

    Degree 5 in x / 64, squared six times.
    """
    x = x * f4(1.0 / 64.0)
    p = f4(1.0 / 120.0) * x + f4(1.0 / 24.0)
    p = p * x + f4(1.0 / 6.0)
    p = p * x + f4(0.5)
    p = p * x + f4(1.0)
    p = p * x + f4(1.0)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@compiled
def between_tiles(positions, tile, tiles):
    """Return, for raw positions along an axis, the index of the tile centre before each, and the fraction towards the next (extrapolated beyond the ends)."""
    count = len(positions)
    lower = np.empty(count, np.int64)
    share = np.empty(count, f4)
    for o in range(count):
        t = (positions[o] + 0.5) / tile - 0.5
        i = min(max(int(math.floor(t)), 0), max(tiles - 2, 0))
        lower[o] = i
        share[o] = t - i if tiles > 1 else 0.0
    return lower, share


@inlined
def with_sample(sums, w, at, planes, masks):
    """Return sums plus those of a sample with weight w: weighted samples, weights, both of red, both of blue. masks (2, len(planes)): 1 if red, if blue."""
    wx = w * planes[at]
    red = masks[u8(0), at]
    blue = masks[u8(1), at]
    return sums[0] + wx, sums[1] + w, sums[2] + wx * red, sums[3] + w * red, sums[4] + wx * blue, sums[5] + w * blue


@compiled
def weigh(s, kernel, k0, planes, base, size, stride, row, column, sums, o0, masks=None):
    """Accumulate the nine weighted samples of each pixel in a block, whose nearest sample is at the same offset in all cells.

    masks: of the planes' channels, see `with_sample`, of patterns other than Bayer's; None: plane 0 is red, plane 3 blue.

    row, column: plane coordinates Y and X of the nearest sample for the block's first CFA cell; row counts from the planes' first.
    s: distances to it, dy and dx, and robustness. A frame's planes begin at `base`; each has `size` samples, in rows of `stride`.
    """
    i = row & 1
    j = column & 1
    row_above = (row - 1) >> 1
    column_left = (column - 1) >> 1
    row >>= 1
    column >>= 1
    centre = u8(base + (2 * i + j) * size + row * stride + column)
    up = u8(base + (3 - 2 * i - j) * size + row_above * stride + column_left)  # corners
    left = u8(base + (2 * i + 1 - j) * size + row * stride + column_left)
    above = u8(base + (2 - 2 * i + j) * size + row_above * stride + column)
    down = up + u8(stride)
    below = above + u8(stride)
    green = i != j
    for k in range(u8(BLOCK)):
        ey = s[k]
        ex = s[u8(BLOCK) + k]
        a = kernel[k0 + k]
        b = kernel[k0 + u8(CHUNK) + k]
        c = kernel[k0 + u8(2 * CHUNK) + k]
        ty = a * ey
        tx = c * ex
        tb = b * ex
        w = s[u8(2 * BLOCK) + k] * exp((ty + tb) * ey + tx * ex)
        u = exp(ty + ty + tb)
        v = exp(tx + tx + b * ey)
        ea = kernel[k0 + u8(3 * CHUNK) + k]
        ec = kernel[k0 + u8(4 * CHUNK) + k]
        eb = kernel[k0 + u8(5 * CHUNK) + k]
        ebi = kernel[k0 + u8(6 * CHUNK) + k]
        wd = w * (ea * u)
        wu = w * (ea / u)
        r = ec * v
        l = ec / v  # noqa: E741
        wr = w * r
        wl = w * l
        w1 = wd * (r * eb)
        w2 = wd * (l * ebi)
        w3 = wu * (r * ebi)
        w4 = wu * (l * eb)
        if masks is not None:  # resolved at compile time
            t = (f4(0), f4(0), f4(0), f4(0), f4(0), f4(0))
            t = with_sample(t, w, centre + k, planes, masks)
            t = with_sample(t, w1, down + u8(1) + k, planes, masks)
            t = with_sample(t, w2, down + k, planes, masks)
            t = with_sample(t, w3, up + u8(1) + k, planes, masks)
            t = with_sample(t, w4, up + k, planes, masks)
            t = with_sample(t, wl, left + k, planes, masks)
            t = with_sample(t, wr, left + u8(1) + k, planes, masks)
            t = with_sample(t, wu, above + k, planes, masks)
            t = with_sample(t, wd, below + k, planes, masks)
            sums[o0 + k] += t[2]
            sums[o0 + u8(CHUNK) + k] += t[0] - t[2] - t[4]
            sums[o0 + u8(2 * CHUNK) + k] += t[4]
            sums[o0 + u8(3 * CHUNK) + k] += t[3]
            sums[o0 + u8(4 * CHUNK) + k] += t[1] - t[3] - t[5]
            sums[o0 + u8(5 * CHUNK) + k] += t[5]
            continue
        n_corners = w1 * planes[down + u8(1) + k] + w2 * planes[down + k] + w3 * planes[up + u8(1) + k] + w4 * planes[up + k]
        d_corners = w1 + w2 + w3 + w4
        n_across = wl * planes[left + k] + wr * planes[left + u8(1) + k]
        d_across = wl + wr
        n_along = wu * planes[above + k] + wd * planes[below + k]
        d_along = wu + wd
        n_centre = w * planes[centre + k]
        # colours: around a red centre, for example, the corners are blue, the others green
        n_even = n_across if green else n_centre  # of the centre's row: red if that is even
        d_even = d_across if green else w
        n_odd = n_along if green else n_corners
        d_odd = d_along if green else d_corners
        sums[o0 + k] += n_even if i == 0 else n_odd
        sums[o0 + u8(CHUNK) + k] += n_centre + n_corners if green else n_across + n_along
        sums[o0 + u8(2 * CHUNK) + k] += n_odd if i == 0 else n_even
        sums[o0 + u8(3 * CHUNK) + k] += d_even if i == 0 else d_odd
        sums[o0 + u8(4 * CHUNK) + k] += w + d_corners if green else d_across + d_along
        sums[o0 + u8(5 * CHUNK) + k] += d_odd if i == 0 else d_even


@compiled
def kernels_of(kernel, first, rows, k0, count, out):
    """Write the kernels of a chunk of CFA cells for `weigh`, out (rows, _KERNEL, CHUNK); zeros beyond `count`."""
    for y in range(rows):
        for n in range(CHUNK):
            a = kernel[first + y, k0 + n, 0] if n < count else f4(0)
            b = kernel[first + y, k0 + n, 1] if n < count else f4(0)
            c = kernel[first + y, k0 + n, 2] if n < count else f4(0)
            wider = f4(1) / max((a + c) / NARROWEST, f4(1))
            out[y, 0, n] = f4(-0.5) * wider * a
            out[y, 1, n] = -wider * b
            out[y, 2, n] = f4(-0.5) * wider * c
        for n in range(u8(CHUNK)):
            out[y, 3, n] = exp(out[y, 0, n])
            out[y, 4, n] = exp(out[y, 2, n])
            out[y, 5, n] = exp(out[y, 1, n])
            out[y, 6, n] = exp(-out[y, 1, n])


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
        lower[p, :cells], share[p, :cells] = between_tiles(x, tile, tiles)
    return lower, share, offset


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
                        kernel_at = u8((q - q0) * _KERNEL * CHUNK) + n0
                        sums_at = (u8(oy * subpixel_phases) + p) * u8(_SUMS * CHUNK) + n0
                        weigh(s, kernels, kernel_at, planes, base, size, stride, row, column, sums, sums_at, masks)


@compiled
def finish(q0, q1, k0, count, subpixel_phases, rows, columns, sums, weight, image, weights):
    """Normalise the sums into the image, whose previous content has weight `weight`, and store the sums of weights."""
    for oy in range(rows[q0], rows[q1]):
        for p in range(subpixel_phases):
            for n in range(count):
                ox = columns[k0 + n] + p
                if ox < columns[k0 + n + 1]:
                    at = ((oy - rows[q0]) * subpixel_phases + p) * _SUMS * CHUNK + n
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
    y = (np.arange(rows[first], rows[last]) + 0.5) / scale - 0.5
    row_of, row_share = between_tiles(y, tile, flows.shape[1])
    most = 0
    for q in range(first, last, GROUP):
        most = max(most, rows[min(q + GROUP, last)] - rows[q])
    sums = np.empty(most * subpixel_phases * _SUMS * CHUNK, f4)
    kernels = np.empty((GROUP, _KERNEL, CHUNK), f4)
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
