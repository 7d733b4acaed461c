"""The innermost loop of the merge: the nine weighted samples of each output pixel of a block. See `loops.py` for the layout.

Vectorisation. Output pixels are processed phase by phase: the n-th output pixel of every CFA cell along a row. Neighbours in a loop then have
neighbouring kernels, robustness and samples, given that the samples of the four CFA sites are stored separately ("planes"), and the colour of each
sample is known outside the loop. The nine weights factorise: with d = (ey + i, ex + j) and
-1/2 Omega^-1 = [[a, b/2], [b/2, c]], exp(d^T .. d) = exp(ey, ex) U^i V^j exp(a)^|i| exp(c)^|j| exp(b)^ij, U = exp(2 a ey + b ex), V = exp(2 c ex + b ey):
three exponentials per pixel instead of nine.

Planes: raw (y, x) is stored in plane (Y % 2, X % 2) at (Y // 2, X // 2) with Y = y + red's row + 2, X = x + red's column + 2; plane 0 is red, 3 blue.
"""

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64
BLOCK = 64  # CFA cells per block: four vectors of 16
CHUNK = 128  # CFA cells per chunk, whose sums stay in cache
NARROWEST = f4(100.0)  # 1/px^2; largest trace of the inverse covariance: beyond, weights would overflow
BORDER = 2  # added to raw coordinates before they are split into planes
SUMS = 6  # num and den of three colours
KERNEL = 7  # a, b, c, and the exponentials of a, c, b, -b


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
    """Write the kernels of a chunk of CFA cells for `weigh`, out (rows, KERNEL, CHUNK); zeros beyond `count`."""
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
