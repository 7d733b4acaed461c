"""Alignment's loops. Same arithmetic as `paper.py`, tile by tile; each takes a range of tile rows."""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32
FAR = f4(3e38)


@inlined
def overlap(start, length, shift, limit, margin):
    """First and last+1 of start .. start+length for which both the place and the place + shift lie in margin .. limit - margin."""
    first = max(start, margin, margin - shift)
    last = min(start + length, limit - margin, limit - margin - shift)
    return first, last


@inlined
def mean_difference(ref, frame, y0, x0, tile, dy, dx):
    """Mean |ref(p) - frame(p + d)| over the part of the tile that both frames show; FAR where that is less than a quarter of it."""
    ya, yb = overlap(y0, tile, dy, ref.shape[0], 0)
    xa, xb = overlap(x0, tile, dx, ref.shape[1], 0)
    if yb <= ya or xb <= xa or 4 * (yb - ya) * (xb - xa) < tile * tile:
        return FAR
    total = f4(0)
    for y in range(ya, yb):
        r = ref[y, xa:xb]
        f = frame[y + dy, xa + dx : xb + dx]
        row = f4(0)
        for x in range(xb - xa):
            row += abs(r[x] - f[x])
        total += row
    return total / f4((yb - ya) * (xb - xa))


@compiled
def match_blocks(first, last, ref, frame, tile, radius, candidates, penalty, out, cost):
    """Best whole-pixel shift per tile: the best of the candidates (n, nty, ntx, 2), then of its (2 radius + 1)^2 neighbours.

    Candidate 0 is what the whole frame says; anything else must beat it by `penalty`.
    """
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            y0 = ty * tile
            x0 = tx * tile
            by = candidates[0, ty, tx, 0]
            bx = candidates[0, ty, tx, 1]
            best = mean_difference(ref, frame, y0, x0, tile, by, bx) - penalty
            oy = by
            ox = bx
            for c in range(1, candidates.shape[0]):
                dy = candidates[c, ty, tx, 0]
                dx = candidates[c, ty, tx, 1]
                value = mean_difference(ref, frame, y0, x0, tile, dy, dx)
                if value < best:
                    best = value
                    oy = dy
                    ox = dx
            by = oy
            bx = ox
            for i in range(-radius, radius + 1):
                for j in range(-radius, radius + 1):
                    if i != 0 or j != 0:
                        value = mean_difference(ref, frame, y0, x0, tile, oy + i, ox + j)
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


@compiled
def tile_hessians(first, last, gy, gx, tile, margin, out):
    """Sum of (gy gy, gy gx, gx gx) over each tile's window: the tile and `margin` pixels around it. Also the pixels counted."""
    height, width = gy.shape
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            a = f4(0)
            b = f4(0)
            c = f4(0)
            y0 = max(ty * tile - margin, 0)
            y1 = min(ty * tile + tile + margin, height)
            x0 = max(tx * tile - margin, 0)
            x1 = min(tx * tile + tile + margin, width)
            for y in range(y0, y1):
                ra = f4(0)
                rb = f4(0)
                rc = f4(0)
                for x in range(x0, x1):
                    ra += gy[y, x] * gy[y, x]
                    rb += gy[y, x] * gx[y, x]
                    rc += gx[y, x] * gx[y, x]
                a += ra
                b += rb
                c += rc
            out[ty, tx, 0] = a
            out[ty, tx, 1] = b
            out[ty, tx, 2] = c
            out[ty, tx, 3] = (y1 - y0) * (x1 - x0)


@inlined
def residual_moments(ref, gy, gx, frame, y0, y1, x0, x1, fy, fx, column):
    """Sums of gy r, gx r, r r over the window with r = ref(p) - frame(p + f), and the pixels counted. `column` is scratch of one row."""
    height, width = ref.shape
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
        for y in range(ya, yb):
            a = frame[y + iy - 1, xa + ix - 1 : xb + ix + 2]
            b = frame[y + iy, xa + ix - 1 : xb + ix + 2]
            c = frame[y + iy + 1, xa + ix - 1 : xb + ix + 2]
            d = frame[y + iy + 2, xa + ix - 1 : xb + ix + 2]
            for x in range(w + 3):
                column[x] = v0 * a[x] + v1 * b[x] + v2 * c[x] + v3 * d[x]
            r = ref[y, xa:xb]
            p = gy[y, xa:xb]
            q = gx[y, xa:xb]
            ty = f4(0)
            tx = f4(0)
            ts = f4(0)
            for x in range(w):
                e = r[x] - (u0 * column[x] + u1 * column[x + 1] + u2 * column[x + 2] + u3 * column[x + 3])
                ty += p[x] * e
                tx += q[x] * e
                ts += e * e
            sy += ty
            sx += tx
            ss += ts
    return sy, sx, ss, n


@compiled
def register_tiles(first, last, ref, gy, gx, frame, tile, margin, hessian, iterations, limit, start, out, cost):
    """Inverse-compositional Lucas-Kanade (Baker & Matthews 2004, section 3.2), one translation per tile.

    f <- f + H^-1 sum g (ref - frame(p + f)). A tile that leaves `limit` pixels around its start returns to it. cost (nty, ntx) becomes the mean
    squared residual at the result, NaN where the frame does not show the tile.
    """
    column = np.empty(tile + 2 * margin + 8, f4)
    height, width = ref.shape
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            y0 = max(ty * tile - margin, 0)
            y1 = min(ty * tile + tile + margin, height)
            x0 = max(tx * tile - margin, 0)
            x1 = min(tx * tile + tile + margin, width)
            a = hessian[ty, tx, 0]
            b = hessian[ty, tx, 1]
            c = hessian[ty, tx, 2]
            full = hessian[ty, tx, 3]
            determinant = a * c - b * b
            fy = start[ty, tx, 0]
            fx = start[ty, tx, 1]
            for _ in range(iterations):
                sy, sx, ss, n = residual_moments(ref, gy, gx, frame, y0, y1, x0, x1, fy, fx, column)
                if n * 4 < full or determinant <= f4(0):
                    break
                share = full / f4(n)
                sy *= share
                sx *= share
                uy = (c * sy - b * sx) / determinant
                ux = (a * sx - b * sy) / determinant
                size = math.sqrt(uy * uy + ux * ux)
                if not size < FAR:  # a sample that is no number
                    fy = start[ty, tx, 0]
                    fx = start[ty, tx, 1]
                    break
                if size > f4(1):
                    uy /= size
                    ux /= size
                fy += uy
                fx += ux
                if size < f4(0.003):
                    break
            if not (abs(fy - start[ty, tx, 0]) <= limit and abs(fx - start[ty, tx, 1]) <= limit):
                fy = start[ty, tx, 0]
                fx = start[ty, tx, 1]
            sy, sx, ss, n = residual_moments(ref, gy, gx, frame, y0, y1, x0, x1, fy, fx, column)
            out[ty, tx, 0] = fy
            out[ty, tx, 1] = fx
            cost[ty, tx] = ss / f4(n) if n * 4 >= full else f4(np.nan)
