"""The merge's loops. Same arithmetic as `paper.py`, one output row at a time, `BLOCK` pixels at a time.

num_c(o) += sum over the 3 x 3 samples around q = p + flow(p) of  R(p) exp(-1/2 d^T Omega^-1 d) x,   den_c likewise without x   (Wronski 2019, eq. 1)

A block's intermediate rows lie in one scratch array at constant distances, so that LLVM sees that they do not overlap and vectorises. Sites are
the four places (y % 2, x % 2) of the CFA; around a sample of site (i, j) the 3 x 3 samples fall into four classes: itself, 4 corners, left and
right, up and down, of sites (i, j), (1-i, 1-j), (i, 1-j), (1-i, j).
"""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32
BORDER = 2  # mirrored samples around the mosaic
BLOCK = 64  # output pixels at a time
# first elements of the scratch rows: distances, kernel, trust, nearest sample, its parities, 9 taps, 8 class sums, 8 site sums
_Y, _X, _A, _B, _C, _R, _CY, _CX, _I, _J, _TAP, _CLASS, _SITE = (BLOCK * i for i in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 19, 27))
_SCRATCH = BLOCK * 35


@inlined
def exp_negative(x):
    """exp(x) for x <= 0, cut off at exp(-24); relative error below 2e-4 down to exp(-8), 2 % at the end. A polynomial, since libm's does not vectorise.

    exp(x / 32) by degree 5, squared five times.
    """
    x = max(x, f4(-24.0)) * f4(1.0 / 32.0)
    p = f4(1.0 / 120.0) * x + f4(1.0 / 24.0)
    p = p * x + f4(1.0 / 6.0)
    p = p * x + f4(0.5)
    p = p * x + f4(1.0)
    p = p * x + f4(1.0)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@inlined
def gaussian(a, b, c, dy, dx):
    """exp(-1/2 d^T Omega^-1 d), with Omega^-1 = -2 [[a, b / 2], [b / 2, c]]."""
    return exp_negative((a * dy + b * dx) * dy + c * dx * dx)


@compiled
def between_tiles(positions, tile, tiles):
    """For raw positions along an axis: the tile centre before each and how far it lies towards the next (beyond the last: extrapolated), and
    the segments of equal tile: their first pixels, ended by the number of pixels, and their tiles.
    """
    count = len(positions)
    lower = np.empty(count, np.int64)
    share = np.empty(count, f4)
    for o in range(count):
        t = (positions[o] + f4(0.5)) / f4(tile) - f4(0.5)
        i = min(max(int(math.floor(t)), 0), max(tiles - 2, 0))
        lower[o] = i
        share[o] = t - f4(i) if tiles > 1 else f4(0)
    starts = [0]
    of_tile = [lower[0]]
    for o in range(1, count):
        if lower[o] != lower[o - 1]:
            starts.append(o)
            of_tile.append(lower[o])
    starts.append(count)
    return lower, share, np.array(starts), np.array(of_tile)


@inlined
def row_positions(y, flow, i, v, segments, of_tile, share, x, qy, qx):
    """Positions q = p + flow(p) in the frame, of pixels of one row at raw (y, x); the flow is bilinear between tile centres.

    Segment n is the pixels segments[n] .. segments[n + 1], all between tile columns of_tile[n] and the next.
    """
    ntx = flow.shape[1]
    i1 = min(i + 1, flow.shape[0] - 1)
    for n in range(len(of_tile)):
        j = of_tile[n]
        j1 = min(j + 1, ntx - 1)
        y0 = y + flow[i, j, 0] + v * (flow[i1, j, 0] - flow[i, j, 0])
        dy = y + flow[i, j1, 0] + v * (flow[i1, j1, 0] - flow[i, j1, 0]) - y0
        x0 = flow[i, j, 1] + v * (flow[i1, j, 1] - flow[i, j, 1])
        dx = flow[i, j1, 1] + v * (flow[i1, j1, 1] - flow[i, j1, 1]) - x0
        a = segments[n]
        b = segments[n + 1]
        u = share[a:b]
        out = qy[a:b]
        for k in range(b - a):
            out[k] = y0 + u[k] * dy
        p = x[a:b]
        out = qx[a:b]
        for k in range(b - a):
            out[k] = p[k] + x0 + u[k] * dx


@inlined
def block_positions(s, qy_block, qx_block, height, width):
    """Nearest sample, distance to it, parities, and whether the frame shows the place (into the trust row), for a block of a row."""
    y_last = f4(height) - f4(0.5)
    x_last = f4(width) - f4(0.5)
    half = f4(0.5)
    for k in range(BLOCK):
        q = qy_block[k]
        inside = f4(1) if q >= -half else f4(0)
        inside = inside if q <= y_last else f4(0)
        q = min(max(q, -half), y_last)
        c = min(math.floor(q + half), f4(height - 1))
        s[_CY + k] = c
        s[_I + k] = c - f4(2) * math.floor(half * c)
        s[_Y + k] = c - q
        s[_R + k] = inside
    for k in range(BLOCK):
        q = qx_block[k]
        inside = s[_R + k]
        inside = inside if q >= -half else f4(0)
        inside = inside if q <= x_last else f4(0)
        q = min(max(q, -half), x_last)
        c = min(math.floor(q + half), f4(width - 1))
        s[_CX + k] = c
        s[_J + k] = c - f4(2) * math.floor(half * c)
        s[_X + k] = c - q
        s[_R + k] = inside


@inlined
def block_weights(s):
    """Weights and weighted sums of the four classes of samples for a block, from distances, kernels, trust and taps."""
    one = f4(1)
    for k in range(BLOCK):
        a = f4(-0.5) * s[_A + k]
        b = -s[_B + k]
        c = f4(-0.5) * s[_C + k]
        r = s[_R + k]
        dy = s[_Y + k]
        dx = s[_X + k]
        w = r * gaussian(a, b, c, dy, dx)
        s[_CLASS + k] = w * s[_TAP + k]
        s[_CLASS + BLOCK + k] = w
        w1 = r * gaussian(a, b, c, dy, dx - one)
        w2 = r * gaussian(a, b, c, dy, dx + one)
        s[_CLASS + 2 * BLOCK + k] = w1 * s[_TAP + BLOCK + k] + w2 * s[_TAP + 2 * BLOCK + k]
        s[_CLASS + 3 * BLOCK + k] = w1 + w2
        w3 = r * gaussian(a, b, c, dy - one, dx)
        w4 = r * gaussian(a, b, c, dy + one, dx)
        s[_CLASS + 4 * BLOCK + k] = w3 * s[_TAP + 3 * BLOCK + k] + w4 * s[_TAP + 4 * BLOCK + k]
        s[_CLASS + 5 * BLOCK + k] = w3 + w4
        w1 = r * gaussian(a, b, c, dy - one, dx - one)
        w2 = r * gaussian(a, b, c, dy - one, dx + one)
        w3 = r * gaussian(a, b, c, dy + one, dx - one)
        w4 = r * gaussian(a, b, c, dy + one, dx + one)
        s[_CLASS + 6 * BLOCK + k] = (
            w1 * s[_TAP + 5 * BLOCK + k] + w2 * s[_TAP + 6 * BLOCK + k] + w3 * s[_TAP + 7 * BLOCK + k] + w4 * s[_TAP + 8 * BLOCK + k]
        )
        s[_CLASS + 7 * BLOCK + k] = w1 + w2 + w3 + w4


@inlined
def block_sites(s):
    """From classes, which are relative to the nearest sample, to sites (0, 0), (0, 1), (1, 0), (1, 1) of the CFA: swap where its parity is odd."""
    for m in range(2):
        for k in range(BLOCK):
            a = s[_CLASS + m * BLOCK + k]
            b = s[_CLASS + (2 + m) * BLOCK + k]
            c = s[_CLASS + (4 + m) * BLOCK + k]
            d = s[_CLASS + (6 + m) * BLOCK + k]
            odd = s[_J + k] > f4(0.5)
            p = b if odd else a
            q = a if odd else b
            t = d if odd else c
            v = c if odd else d
            odd = s[_I + k] > f4(0.5)
            s[_SITE + m * BLOCK + k] = t if odd else p
            s[_SITE + (2 + m) * BLOCK + k] = v if odd else q
            s[_SITE + (4 + m) * BLOCK + k] = p if odd else t
            s[_SITE + (6 + m) * BLOCK + k] = q if odd else v


@compiled
def accumulate(first, last, mosaic, cfa, scale, flow, tile, kernel, trust, num, den):
    """Add one frame to output rows first .. last of num and den, (H', 3, W') float32.

    mosaic: (H + 4, W + 4) float32 samples with mirrored borders. cfa: (2, 2) colours. flow: (nty, ntx, 2). kernel: (H/2, W/2, 3). trust: (H/2, W/2).
    """
    height, _, width = num.shape
    stride = mosaic.shape[1]
    height_raw = mosaic.shape[0] - 2 * BORDER
    width_raw = stride - 2 * BORDER
    samples = mosaic.reshape(-1)
    inverse = f4(1) / f4(scale)
    padded = (width + BLOCK - 1) // BLOCK * BLOCK
    y = (np.arange(height).astype(f4) + f4(0.5)) * inverse - f4(0.5)
    x = (np.arange(padded).astype(f4) + f4(0.5)) * inverse - f4(0.5)
    row_of, row_share, _, _ = between_tiles(y, tile, flow.shape[0])
    _, share, segments, of_tile = between_tiles(x, tile, flow.shape[1])
    quad = np.empty(padded, np.int32)
    for ox in range(padded):
        quad[ox] = min(max(int((x[ox] + f4(0.5)) * f4(0.5)), 0), kernel.shape[1] - 1)
    qy = np.empty(padded, f4)
    qx = np.empty(padded, f4)
    s = np.zeros(_SCRATCH, f4)
    red = 0
    for i in range(4):
        if cfa[i >> 1, i & 1] == 0:
            red = i
    green = 1 if red == 0 or red == 3 else 0
    red_row = _SITE + red * 2 * BLOCK
    blue_row = _SITE + (3 - red) * 2 * BLOCK
    green_row = _SITE + green * 2 * BLOCK
    other_row = _SITE + (3 - green) * 2 * BLOCK
    one = np.uint64(1)
    for oy in range(first, last):
        ky = min(max(int((y[oy] + f4(0.5)) * f4(0.5)), 0), kernel.shape[0] - 1)
        row_positions(y[oy], flow, row_of[oy], row_share[oy], segments, of_tile, share, x, qy, qx)
        kernel_row = kernel[ky]
        trust_row = trust[ky]
        for x0 in range(0, width, BLOCK):
            block_positions(s, qy[x0 : x0 + BLOCK], qx[x0 : x0 + BLOCK], height_raw, width_raw)
            for k in range(BLOCK):
                q = np.uint64(quad[x0 + k])
                s[_A + k] = kernel_row[q, 0]
                s[_B + k] = kernel_row[q, 1]
                s[_C + k] = kernel_row[q, 2]
                s[_R + k] *= trust_row[q]
            for k in range(BLOCK):
                centre = np.uint64((np.int64(s[_CY + k]) + BORDER) * stride + np.int64(s[_CX + k]) + BORDER)
                up = centre - np.uint64(stride)
                down = centre + np.uint64(stride)
                s[_TAP + k] = samples[centre]
                s[_TAP + BLOCK + k] = samples[centre - one]
                s[_TAP + 2 * BLOCK + k] = samples[centre + one]
                s[_TAP + 3 * BLOCK + k] = samples[up]
                s[_TAP + 4 * BLOCK + k] = samples[down]
                s[_TAP + 5 * BLOCK + k] = samples[up - one]
                s[_TAP + 6 * BLOCK + k] = samples[up + one]
                s[_TAP + 7 * BLOCK + k] = samples[down - one]
                s[_TAP + 8 * BLOCK + k] = samples[down + one]
            block_weights(s)
            block_sites(s)
            count = min(BLOCK, width - x0)
            for m in range(2):
                sums = num if m == 0 else den
                out = sums[oy, 0, x0 : x0 + count]
                for k in range(count):
                    out[k] += s[red_row + m * BLOCK + k]
                out = sums[oy, 1, x0 : x0 + count]
                for k in range(count):
                    out[k] += s[green_row + m * BLOCK + k] + s[other_row + m * BLOCK + k]
                out = sums[oy, 2, x0 : x0 + count]
                for k in range(count):
                    out[k] += s[blue_row + m * BLOCK + k]


@compiled
def normalise(first, last, num, den):
    """num <- num / den, then both from one colour after another (H', 3, W') to colours side by side, (H', W', 3), in the same memory."""
    width = num.shape[2]
    row = np.empty((3, width), f4)
    for y in range(first, last):
        for c in range(3):
            for x in range(width):
                row[c, x] = num[y, c, x] / den[y, c, x]
        out = num[y].reshape(-1)
        for x in range(width):
            for c in range(3):
                out[3 * x + c] = row[c, x]
        row[:] = den[y]
        out = den[y].reshape(-1)
        for x in range(width):
            for c in range(3):
                out[3 * x + c] = row[c, x]
