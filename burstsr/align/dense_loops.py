"""Loops of the dense refinement: residual sums of each small cell. Same arithmetic as `naive_dense.py`."""

import math

import numpy as np

from burstsr.align.loops import copy_window, cubic, window_gradients
from burstsr.core.flow_loops import single_flow_at
from burstsr.core.jit import compiled, inlined

f4 = np.float32
u8 = np.uint64
UNEVEN_PX = f4(0.08)
SUMS = 8  # of a cell: w gy gy, w gy gx, w gx gx, w gy e, w gx e, w, rho, pixels


@inlined
def weighted_moments(total, r, p, q, h0, h1, h2, h3, v0, v1, v2, v3, noise, alias):
    """Add to `total` the robust sums over pixels with e = r - (rows h interpolated with weights v)."""
    yy = f4(0)
    yx = f4(0)
    xx = f4(0)
    ye = f4(0)
    xe = f4(0)
    ww = f4(0)
    ee = f4(0)
    for x in range(r.shape[0]):
        e = r[x] - (v0 * h0[x] + v1 * h1[x] + v2 * h2[x] + v3 * h3[x])
        gy = p[x]
        gx = q[x]
        scale = noise + alias * (gy * gy + gx * gx)
        rho = scale / (scale + e * e)
        w = rho * rho
        wy = w * gy
        wx = w * gx
        yy += wy * gy
        yx += wy * gx
        xx += wx * gx
        ye += wy * e
        xe += wx * e
        ww += w
        ee += rho * e * e
    total[0] += yy
    total[1] += yx
    total[2] += xx
    total[3] += ye
    total[4] += xe
    total[5] += ww
    total[6] += ee
    total[7] += f4(r.shape[0])


@inlined
def uneven(field, ty, tx, limit):
    """Return whether the flow of a cell differs from that of an adjacent cell by more than `limit` along an axis."""
    nty, ntx = field.shape[:2]
    most = f4(0)
    for k in range(2):
        here = field[ty, tx, k]
        most = max(most, abs(field[max(ty - 1, 0), tx, k] - here), abs(field[min(ty + 1, nty - 1), tx, k] - here))
        most = max(most, abs(field[ty, max(tx - 1, 0), k] - here), abs(field[ty, min(tx + 1, ntx - 1), k] - here))
    return most > limit


@compiled
def uneven_residuals(ref, frame, gain, cell, field, ty, tx, r, valid):
    """Write residuals e of a cell's pixels to flat r, row after row, with flow bilinear between cell centres; valid: 1, or 0 where outside the frame."""
    height, width = ref.shape
    y0 = ty * cell
    x0 = tx * cell
    y1 = min(y0 + cell, height)
    x1 = min(x0 + cell, width)
    at = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            fy, fx = single_flow_at(field, cell, f4(y), f4(x))
            iy = int(math.floor(fy))
            ix = int(math.floor(fx))
            top = y + iy - 1
            left = x + ix - 1
            r[at] = f4(0)
            valid[at] = f4(0)
            if top >= 0 and left >= 0 and top + 3 < height and left + 3 < width:
                v0, v1, v2, v3 = cubic(fy - f4(iy))
                u0, u1, u2, u3 = cubic(fx - f4(ix))
                p = u8(top)
                q = u8(left)
                one = u8(1)
                two = u8(2)
                three = u8(3)
                value = v0 * (u0 * frame[p, q] + u1 * frame[p, q + one] + u2 * frame[p, q + two] + u3 * frame[p, q + three])
                value += v1 * (u0 * frame[p + one, q] + u1 * frame[p + one, q + one] + u2 * frame[p + one, q + two] + u3 * frame[p + one, q + three])
                value += v2 * (u0 * frame[p + two, q] + u1 * frame[p + two, q + one] + u2 * frame[p + two, q + two] + u3 * frame[p + two, q + three])
                value += v3 * (u0 * frame[p + three, q] + u1 * frame[p + three, q + one] + u2 * frame[p + three, q + two] + u3 * frame[p + three, q + three])
                r[at] = ref[u8(y), u8(x)] - f4(gain) * value
                valid[at] = f4(1)
            at += 1


@inlined
def valid_moments(total, e, valid, p, q, noise, alias):
    """Add the same sums of residuals e over valid pixels."""
    for x in range(e.shape[0]):
        gy = p[x]
        gx = q[x]
        scale = noise + alias * (gy * gy + gx * gx)
        rho = scale / (scale + e[x] * e[x]) * valid[x]
        w = rho * rho
        total[0] += w * gy * gy
        total[1] += w * gy * gx
        total[2] += w * gx * gx
        total[3] += w * gy * e[x]
        total[4] += w * gx * e[x]
        total[5] += w
        total[6] += rho * e[x] * e[x]
        total[7] += valid[x]


@compiled
def residual_sums(first, last, ref, frame, gain, cell, field, noise, alias, active, out):
    """Compute sums (nty, ntx, SUMS) over each cell's pixels of e = ref(p) - gain frame(p + f) and of ref's gradient, f the cell's flow in `field`.

    Where f differs from the flow of adjacent cells by more than UNEVEN_PX, it is interpolated bilinearly between cell centres.

    Pixels have weight w = (1 + e^2 / u)^-2 and cost rho = e^2 / (1 + e^2 / u), u = noise + alias |g|^2 (Geman-McClure).
    Only pixels that are inside the frame with two pixels to spare count. Cells that are not `active` (nty, ntx) keep their sums.
    """
    height, width = ref.shape
    scratch = np.zeros((4, cell * (cell + 3)), f4)
    r, p, q, h = scratch[0], scratch[1], scratch[2], scratch[3]
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            if not active[ty, tx]:
                continue
            total = out[ty, tx]
            total[:] = 0
            y0 = ty * cell
            x0 = tx * cell
            y1 = min(y0 + cell, height)
            x1 = min(x0 + cell, width)
            fy = field[ty, tx, 0]
            fx = field[ty, tx, 1]
            iy = int(math.floor(fy))
            ix = int(math.floor(fx))
            ya = max(y0, 1 - iy)
            yb = min(y1, height - 2 - iy)
            xa = max(x0, 1 - ix)
            xb = min(x1, width - 2 - ix)
            if yb <= ya or xb <= xa:
                continue
            window_gradients(ref, y0, y1, x0, x1, p, q)
            if uneven(field, ty, tx, UNEVEN_PX):
                n = (y1 - y0) * (x1 - x0)
                uneven_residuals(ref, frame, gain, cell, field, ty, tx, r, h)
                valid_moments(total, r[:n], h[:n], p[:n], q[:n], noise, alias)
                continue
            copy_window(ref, y0, y1, x0, x1, r)
            v0, v1, v2, v3 = cubic(f4(fy - iy))
            u0, u1, u2, u3 = cubic(f4(fx - ix))
            u0 *= f4(gain)
            u1 *= f4(gain)
            u2 *= f4(gain)
            u3 *= f4(gain)
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
                weighted_moments(total, r[at:end], p[at:end], q[at:end], h[k:], h[k + w :], h[k + 2 * w :], h[k + 3 * w :], v0, v1, v2, v3, noise, alias)


@compiled
def detail_sums(first, last, image, cell, out):
    """Compute sums (nty, ntx, 3) over each cell's pixels: squared halved central differences, squared halved second differences, number of pixels.

    Along both axes; the outermost pixels of the image are excluded.
    """
    height, width = image.shape
    half = f4(0.5)
    for ty in range(first, last):
        for tx in range(out.shape[1]):
            gradient = f4(0)
            curvature = f4(0)
            x0 = u8(max(tx * cell, 1))
            x1 = u8(min(tx * cell + cell, width - 1))
            ya = max(ty * cell, 1)
            yb = min(ty * cell + cell, height - 1)
            one = u8(1)
            for y in range(ya, yb):
                k = u8(y)
                for x in range(x0, x1):
                    up = image[k - one, x]
                    down = image[k + one, x]
                    before = image[k, x - one]
                    after = image[k, x + one]
                    here = f4(2) * image[k, x]
                    a = half * (down - up)
                    b = half * (after - before)
                    c = half * (down + up - here)
                    d = half * (after + before - here)
                    gradient += a * a + b * b
                    curvature += c * c + d * d
            out[ty, tx, 0] = gradient
            out[ty, tx, 1] = curvature
            out[ty, tx, 2] = f4(max(yb - ya, 0) * max(int(x1) - int(x0), 0))
