"""Loops of alignment over pixels of tiles. Same arithmetic as `naive.py`, tile by tile; each processes a range of tile rows."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64
FAR = f4(3e38)


@inlined
def overlap(start, length, shift, limit, margin):
    """Return the first and last + 1 index of start .. start + length for which both the index and index + shift are in margin .. limit - margin."""
    first = max(start, margin, margin - shift)
    last = min(start + length, limit - margin, limit - margin - shift)
    return first, last


@inlined
def mean_difference(ref, frame, y0, x0, tile, dy, dx, bound):
    """Return the mean |ref(p) - frame(p + d)| over the part of the tile inside both frames; FAR if less than a quarter of it overlaps.

    Also FAR as soon as the mean must exceed `bound`.
    """
    ya, yb = overlap(y0, tile, dy, ref.shape[0], 0)
    xa, xb = overlap(x0, tile, dx, ref.shape[1], 0)
    if yb <= ya or xb <= xa or 4 * (yb - ya) * (xb - xa) < tile * tile:
        return FAR
    pixels = f4((yb - ya) * (xb - xa))
    largest_total = bound * pixels
    total = f4(0)
    left = u8(xa)
    shifted = u8(xa + dx)
    for y in range(ya, yb):
        r = u8(y)
        f = u8(y + dy)
        row = f4(0)
        for x in range(u8(xb - xa)):
            row += abs(ref[r, left + x] - frame[f, shifted + x])
        total += row
        if total > largest_total:
            return FAR
    return total / pixels


@compiled
def match_blocks(first, last, ref, frame, tile, radius, candidates, penalty, out, cost):
    """Find the best integer shift per tile: the best of the candidates (n, nty, ntx, 2), then of its (2 radius + 1)^2 neighbours.

    Candidate 0 is the global motion; any other must be better by `penalty`.
    """
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            y0 = ty * tile
            x0 = tx * tile
            by = candidates[0, ty, tx, 0]
            bx = candidates[0, ty, tx, 1]
            best = mean_difference(ref, frame, y0, x0, tile, by, bx, FAR) - penalty
            oy = by
            ox = bx
            for c in range(1, candidates.shape[0]):
                dy = candidates[c, ty, tx, 0]
                dx = candidates[c, ty, tx, 1]
                known = False
                for k in range(c):
                    known |= dy == candidates[k, ty, tx, 0] and dx == candidates[k, ty, tx, 1]
                if known:
                    continue
                value = mean_difference(ref, frame, y0, x0, tile, dy, dx, best)
                if value < best:
                    best = value
                    oy = dy
                    ox = dx
            by = oy
            bx = ox
            for i in range(-radius, radius + 1):
                for j in range(-radius, radius + 1):
                    if i != 0 or j != 0:
                        value = mean_difference(ref, frame, y0, x0, tile, oy + i, ox + j, best)
                        if value < best:
                            best = value
                            by = oy + i
                            bx = ox + j
            out[ty, tx, 0] = by
            out[ty, tx, 1] = bx
            cost[ty, tx] = best


@inlined
def cubic(t):
    """Keys' cubic convolution weights (a = -1/2) of the samples at -1, 0, 1, 2 for position t in 0 .. 1."""
    t2 = t * t
    t3 = t2 * t
    h = f4(0.5)
    return h * (-t3 + f4(2) * t2 - t), h * (f4(3) * t3 - f4(5) * t2 + f4(2)), h * (f4(-3) * t3 + f4(4) * t2 + t), h * (t3 - t2)


@inlined
def copy_window(ref, y0, y1, x0, x1, r):
    """Copy the window's pixels to flat r, row after row."""
    w = u8(x1 - x0)
    left = u8(x0)
    for y in range(u8(y0), u8(y1)):
        at = (y - u8(y0)) * w
        for x in range(w):
            r[at + x] = ref[y, left + x]


@inlined
def window_gradients(ref, y0, y1, x0, x1, p, q):
    """Write halved central differences to flat p = gy, q = gx, row after row; one-sided at the image border."""
    height, width = ref.shape
    w = u8(x1 - x0)
    left = u8(x0)
    half = f4(0.5)
    begin = u8(max(x0, 1))
    inner = u8(min(x1, width - 1)) - begin
    one = u8(1)
    for y in range(u8(y0), u8(y1)):
        at = (y - u8(y0)) * w
        up = u8(max(int(y) - 1, 0))
        down = u8(min(int(y) + 1, height - 1))
        for x in range(w):
            p[at + x] = half * (ref[down, left + x] - ref[up, left + x])
        middle = at + begin - left
        for x in range(inner):
            q[middle + x] = half * (ref[y, begin + one + x] - ref[y, begin - one + x])
        if x0 == 0:
            q[at] = half * (ref[y, u8(min(1, width - 1))] - ref[y, u8(0)])
        if x1 == width:
            q[at + w - one] = half * (ref[y, u8(width - 1)] - ref[y, u8(max(width - 2, 0))])


@compiled
def tile_hessians(first, last, ref, tile, margin, out):
    """Compute sums of (gy gy, gy gx, gx gx) over each tile's window, the tile and `margin` pixels around it, and the number of pixels."""
    height, width = ref.shape
    side = tile + 2 * margin
    scratch = np.empty((2, side * side), f4)
    p, q = scratch[0], scratch[1]
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            y0 = max(ty * tile - margin, 0)
            y1 = min(ty * tile + tile + margin, height)
            x0 = max(tx * tile - margin, 0)
            x1 = min(tx * tile + tile + margin, width)
            window_gradients(ref, y0, y1, x0, x1, p, q)
            a = f4(0)
            b = f4(0)
            c = f4(0)
            for k in range((y1 - y0) * (x1 - x0)):
                a += p[k] * p[k]
                b += p[k] * q[k]
                c += q[k] * q[k]
            out[ty, tx, 0] = a
            out[ty, tx, 1] = b
            out[ty, tx, 2] = c
            out[ty, tx, 3] = (y1 - y0) * (x1 - x0)


@inlined
def moments(r, p, q, h0, h1, h2, h3, v0, v1, v2, v3):
    """Return the sums of p e, q e, e e with e = r - (rows h interpolated with weights v)."""
    sy = f4(0)
    sx = f4(0)
    ss = f4(0)
    for x in range(r.shape[0]):
        e = r[x] - (v0 * h0[x] + v1 * h1[x] + v2 * h2[x] + v3 * h3[x])
        sy += p[x] * e
        sx += q[x] * e
        ss += e * e
    return sy, sx, ss


@inlined
def residual_moments(frame, y0, y1, x0, x1, fy, fx, r, p, q, h):
    """Return the sums of gy e, gx e, e e over the window with e = ref(p) - frame(p + f), and the number of pixels. h: scratch of the window and 3 more rows."""
    height, width = frame.shape
    iy = int(math.floor(fy))
    ix = int(math.floor(fx))
    ya = max(y0, 1 - iy)
    yb = min(y1, height - 2 - iy)
    xa = max(x0, 1 - ix)
    xb = min(x1, width - 2 - ix)
    sy = f4(0)
    sx = f4(0)
    ss = f4(0)
    n = 0
    if yb > ya and xb > xa:
        v0, v1, v2, v3 = cubic(f4(fy - iy))
        u0, u1, u2, u3 = cubic(f4(fx - ix))
        w = xb - xa
        n = w * (yb - ya)
        top = u8(ya + iy - 1)
        left = u8(xa + ix - 1)
        for y in range(u8(yb - ya + 3)):
            at = y * u8(w)
            for x in range(u8(w)):
                k = left + x
                h[at + x] = u0 * frame[top + y, k] + u1 * frame[top + y, k + u8(1)] + u2 * frame[top + y, k + u8(2)] + u3 * frame[top + y, k + u8(3)]
        length = n if w == x1 - x0 else w  # rows that are contiguous in all arrays count as one
        for k in range(0, n, length):
            at = (ya - y0 + k // w) * (x1 - x0) + xa - x0
            end = at + length
            ty, tx, ts = moments(r[at:end], p[at:end], q[at:end], h[k:], h[k + w :], h[k + 2 * w :], h[k + 3 * w :], v0, v1, v2, v3)
            sy += ty
            sx += tx
            ss += ts
    return sy, sx, ss, n


@compiled
def register_tiles(first, last, ref, frame, tile, margin, hessian, iterations, limit, start, out, cost):
    """Register each tile by a translation with inverse-compositional Lucas-Kanade (Baker & Matthews 2004, section 3.2).

    f <- f + H^-1 sum g (ref - frame(p + f)). A tile that moves more than `limit` pixels away from its start is reset to it. cost (nty, ntx) is set to the
    mean squared residual at the result (to within a last step of 0.003 px), NaN where the tile is outside the frame.
    """
    height, width = ref.shape
    side = tile + 2 * margin
    scratch = np.zeros((4, side * (side + 3)), f4)
    r, p, q, h = scratch[0], scratch[1], scratch[2], scratch[3]
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            y0 = max(ty * tile - margin, 0)
            y1 = min(ty * tile + tile + margin, height)
            x0 = max(tx * tile - margin, 0)
            x1 = min(tx * tile + tile + margin, width)
            copy_window(ref, y0, y1, x0, x1, r)
            if iterations > 0:
                window_gradients(ref, y0, y1, x0, x1, p, q)
            a = hessian[ty, tx, 0]
            b = hessian[ty, tx, 1]
            c = hessian[ty, tx, 2]
            full = hessian[ty, tx, 3]
            determinant = a * c - b * b
            fy = start[ty, tx, 0]
            fx = start[ty, tx, 1]
            ss = f4(0)
            n = 0
            step = 0
            settled = determinant <= f4(0)
            reset = False
            while True:  # the residuals are computed at one place, which halves the time of compilation
                sy, sx, ss, n = residual_moments(frame, y0, y1, x0, x1, fy, fx, r, p, q, h)
                diverged = False
                if not (reset or settled or step == iterations or n * 4 < full):
                    step += 1
                    share = full / f4(n)
                    sy *= share
                    sx *= share
                    uy = (c * sy - b * sx) / determinant
                    ux = (a * sx - b * sy) / determinant
                    size = math.sqrt(uy * uy + ux * ux)
                    diverged = not size < FAR  # NaN samples
                    if not diverged:
                        if size > f4(1):
                            uy /= size
                            ux /= size
                        fy += uy
                        fx += ux
                        if size >= f4(0.003):
                            continue
                if reset or not (diverged or not (abs(fy - start[ty, tx, 0]) <= limit and abs(fx - start[ty, tx, 1]) <= limit)):
                    break
                fy = start[ty, tx, 0]
                fx = start[ty, tx, 1]
                reset = True
            out[ty, tx, 0] = fy
            out[ty, tx, 1] = fx
            cost[ty, tx] = ss / f4(n) if n * 4 >= full else f4(np.nan)
