"""Loops of the dense refinement: residual sums of each small cell, and the regularised field. Same arithmetic as `naive_dense.py`."""

import math

import numpy as np

from burstsr.align.loops import FAR, copy_window, cubic, window_gradients
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
    nty, ntx = field.shape[:2]
    y0 = ty * cell
    x0 = tx * cell
    y1 = min(y0 + cell, height)
    x1 = min(x0 + cell, width)
    at = 0
    for y in range(y0, y1):
        t = (f4(y) + f4(0.5)) / f4(cell) - f4(0.5)
        i = min(max(int(math.floor(t)), 0), max(nty - 2, 0))
        v = t - f4(i) if nty > 1 else f4(0)
        i1 = min(i + 1, nty - 1)
        for x in range(x0, x1):
            t = (f4(x) + f4(0.5)) / f4(cell) - f4(0.5)
            j = min(max(int(math.floor(t)), 0), max(ntx - 2, 0))
            u = t - f4(j) if ntx > 1 else f4(0)
            j1 = min(j + 1, ntx - 1)
            a = field[i, j, 0] + u * (field[i, j1, 0] - field[i, j, 0])
            b = field[i1, j, 0] + u * (field[i1, j1, 0] - field[i1, j, 0])
            fy = a + v * (b - a)
            a = field[i, j, 1] + u * (field[i, j1, 1] - field[i, j, 1])
            b = field[i1, j, 1] + u * (field[i1, j1, 1] - field[i1, j, 1])
            fx = a + v * (b - a)
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
            if uneven(field, ty, tx, UNEVEN_PX):
                n = (y1 - y0) * (x1 - x0)
                window_gradients(ref, y0, y1, x0, x1, p, q)
                uneven_residuals(ref, frame, gain, cell, field, ty, tx, r, h)
                valid_moments(total, r[:n], h[:n], p[:n], q[:n], noise, alias)
                continue
            copy_window(ref, y0, y1, x0, x1, r)
            window_gradients(ref, y0, y1, x0, x1, p, q)
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
            if w == x1 - x0:  # rows are contiguous in all arrays
                at = (ya - y0) * w
                end = at + n
                weighted_moments(total, r[at:end], p[at:end], q[at:end], h[:n], h[w:], h[2 * w :], h[3 * w :], v0, v1, v2, v3, noise, alias)
            else:
                for y in range(ya, yb):
                    at = (y - y0) * (x1 - x0) + xa - x0
                    end = at + w
                    k = (y - ya) * w
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


@compiled
def smooth(sweeps, data, target, damping, scale, out):
    """Run Gauss-Seidel sweeps for the d that minimises  sum_t (d - m)^T I (d - m) + b |d|^2 + sum_<ts> |d_t - d_s|^2 / (scale^2 + |o_t - o_s|^2).

    data (h, w, 3): I's yy, yx, xx. target (h, w, 2): I m. damping: b. out (h, w, 2): the initial field o; overwritten with d.
    """
    height, width = out.shape[:2]
    down = np.zeros((height + 1, width), f4)  # weight between (y - 1, x) and (y, x)
    right = np.zeros((height, width + 1), f4)
    scale_squared = f4(scale) * f4(scale)
    for y in range(1, height):
        for x in range(width):
            a = out[y, x, 0] - out[y - 1, x, 0]
            b = out[y, x, 1] - out[y - 1, x, 1]
            down[y, x] = f4(1) / (scale_squared + a * a + b * b)
    for y in range(height):
        for x in range(1, width):
            a = out[y, x, 0] - out[y, x - 1, 0]
            b = out[y, x, 1] - out[y, x - 1, 1]
            right[y, x] = f4(1) / (scale_squared + a * a + b * b)
    for sweep in range(sweeps):
        for k in range(height):
            y = k if sweep % 2 == 0 else height - 1 - k
            for j in range(width):
                x = j if sweep % 2 == 0 else width - 1 - j
                p = target[y, x, 0]
                q = target[y, x, 1]
                total = f4(damping)
                if y > 0:
                    w = down[y, x]
                    p += w * out[y - 1, x, 0]
                    q += w * out[y - 1, x, 1]
                    total += w
                if y + 1 < height:
                    w = down[y + 1, x]
                    p += w * out[y + 1, x, 0]
                    q += w * out[y + 1, x, 1]
                    total += w
                if x > 0:
                    w = right[y, x]
                    p += w * out[y, x - 1, 0]
                    q += w * out[y, x - 1, 1]
                    total += w
                if x + 1 < width:
                    w = right[y, x + 1]
                    p += w * out[y, x + 1, 0]
                    q += w * out[y, x + 1, 1]
                    total += w
                a = data[y, x, 0] + total
                b = data[y, x, 1]
                c = data[y, x, 2] + total
                determinant = a * c - b * b
                out[y, x, 0] = (c * p - b * q) / determinant
                out[y, x, 1] = (a * q - b * p) / determinant


@compiled
def cell_equations(first, last, sums, field, centre, alias, gradient, variance, significant, data, target):
    """Compute the information I (h, w, 3), as yy, yx, xx, about each cell's deviation m from `centre`, and I m (h, w, 2), for `smooth`.

    m = field + H^-1 sum w g e - centre, the step at most a pixel. For the eigenvalues of I see `fisher.without_noise`; alias (h, w): error floor, px.
    """
    for y in range(first, last):
        for x in range(sums.shape[1]):
            s = sums[y, x]
            data[y, x, 0] = data[y, x, 1] = data[y, x, 2] = 0
            target[y, x, 0] = target[y, x, 1] = 0
            if s[7] < f4(1):
                continue
            middle = f4(0.5) * (s[0] + s[2])
            difference = f4(0.5) * (s[0] - s[2])
            radius = math.sqrt(difference * difference + s[1] * s[1])
            noise = s[5] * f4(gradient)
            uncertainty = f4(significant) * noise * math.sqrt(f4(1) / s[7])
            # cosine and sine of twice the angle of the larger eigenvalue's direction from +y
            c2 = difference / radius if radius > 0 else f4(1)
            s2 = s[1] / radius if radius > 0 else f4(0)
            step_y = f4(0)
            step_x = f4(0)
            yy = f4(0)
            yx = f4(0)
            xx = f4(0)
            for k in range(2):
                sign = f4(1) if k == 0 else f4(-1)
                structure = middle + sign * radius - noise
                certain = max(structure - uncertainty, f4(0))
                information = certain * certain / ((certain + noise + f4(1e-9)) * f4(2 * variance))
                information /= f4(1) + information * alias[y, x] * alias[y, x]
                solvable = max(structure, f4(0.25) * noise + f4(1e-9))
                py = f4(0.5) * (f4(1) + sign * c2)  # projector onto the eigenvector
                pm = f4(0.5) * sign * s2
                px = f4(0.5) * (f4(1) - sign * c2)
                step_y += (py * s[3] + pm * s[4]) / solvable
                step_x += (pm * s[3] + px * s[4]) / solvable
                yy += information * py
                yx += information * pm
                xx += information * px
            size = math.sqrt(step_y * step_y + step_x * step_x)
            if not size < FAR:  # NaN samples
                continue
            if size > f4(1):
                step_y /= size
                step_x /= size
            m = field[y, x, 0] + step_y - centre[y, x, 0]
            n = field[y, x, 1] + step_x - centre[y, x, 1]
            data[y, x, 0] = yy
            data[y, x, 1] = yx
            data[y, x, 2] = xx
            target[y, x, 0] = yy * m + yx * n
            target[y, x, 1] = yx * m + xx * n
