"""Conjugate gradients on the normal equations. Same arithmetic as `paper.py`; normal, taps and flat planes as in `product_loops`."""

import numpy as np

from burstsr.core.jit import compiled
from burstsr.reconstruct.normal_matrix_loops import GUARD, LINE, clear_rim, data, product_row

f4 = np.float32


@compiled
def pull_row(row, size, first, last, pull, chroma, balance, x, out):
    """out += (D + E) x on pixels row + first .. row + last of three colours `size` apart, with D = pull and E = chroma C^T D_g C, where
    C x = (r - g, b - g) of white-balanced values. All flat, x after GUARD values. Returns x . out there.
    """
    inverse_r = f4(1) / balance[0]
    inverse_g = f4(1) / balance[1]
    inverse_b = f4(1) / balance[2]
    red = np.uint64(row)
    green = red + np.uint64(size)
    blue = green + np.uint64(size)
    guard = np.uint64(GUARD)
    total = f4(0)
    for n in range(first, last):
        k = np.uint64(n)
        r = x[guard + red + k]
        g = x[guard + green + k]
        b = x[guard + blue + k]
        q = chroma * pull[green + k]
        to_red = q * (r * inverse_r - g * inverse_g)
        to_blue = q * (b * inverse_b - g * inverse_g)
        of_red = out[red + k] + pull[red + k] * r + to_red * inverse_r
        of_green = out[green + k] + pull[green + k] * g - (to_red + to_blue) * inverse_g
        of_blue = out[blue + k] + pull[blue + k] * b + to_blue * inverse_b
        out[red + k] = of_red
        out[green + k] = of_green
        out[blue + k] = of_blue
        total += r * of_red + g * of_green + b * of_blue
    return total


@compiled
def turn(ratio, first, last, size, residual, inverse, p):
    """p = inverse residual + ratio p on first .. last of three colours `size` apart, flat, p after GUARD values."""
    for c in range(3):
        for n in range(c * size + first, c * size + last):
            k = np.uint64(n)
            p[k + np.uint64(GUARD)] = residual[k] * inverse[k] + ratio * p[k + np.uint64(GUARD)]


@compiled
def system(normal, taps, pull, chroma, balance, ratio, residual, inverse, p, out, shape, reach, blurred, between):
    """p = inverse residual + ratio p, and flat out = (G N G + D + E) p inside, p after GUARD values. Returns p . out."""
    _, height, width = shape
    size = height * width
    total = 0.0
    if len(taps) == 1:
        lines = np.zeros(9 * LINE, f4)
        for y in range(height):
            turn(ratio, y * width, (y + 1) * width, size, residual, inverse, p)
            if y >= reach:  # all of p that rows up to this one need is new
                product_row(normal, y - reach, height, width, reach, p, out, lines)
            if y >= 2 * reach:
                total += pull_row((y - reach) * width, size, reach, width - reach, pull, chroma, balance, p, out)
        return total
    turn(ratio, 0, size, size, residual, inverse, p)
    data(normal, taps, p, out, shape, reach, blurred, between)
    for y in range(reach, height - reach):
        total += pull_row(y * width, size, reach, width - reach, pull, chroma, balance, p, out)
    clear_rim(out, shape, reach)
    return total


@compiled
def preconditioner(normal, taps, pull, chroma, balance, shape, reach, out):
    """Flat out = 1 / diagonal of G N G + D + E, but for the blur's sums across pixels."""
    _, height, width = shape
    sharpness = f4(0)
    for t in taps:
        sharpness += t * t
    sharpness *= sharpness
    stride = (reach + 1) * (2 * reach + 1) * width
    for c in range(3):
        extra = (f4(2) if c == 1 else f4(1)) * chroma / (balance[c] * balance[c])
        for y in range(height):
            row = np.uint64((c * height + y) * width)
            green = np.uint64((height + y) * width)
            diagonal = np.uint64((c * height + y) * stride + reach * width)
            for n in range(width):
                k = np.uint64(n)
                out[row + k] = f4(1) / max(sharpness * normal[diagonal + k] + pull[row + k] + extra * pull[green + k], f4(1e-30))


@compiled
def advance(step, first, last, p, image, inverse, x, residual):
    """x += step p and residual -= step image on first .. last, flat, p after GUARD values. Returns residual . inverse residual there."""
    total = f4(0)
    for n in range(first, last):
        k = np.uint64(n)
        x[k] += step * p[k + np.uint64(GUARD)]
        left = residual[k] - step * image[k]
        residual[k] = left
        total += left * left * inverse[k]
    return total


@compiled
def conjugate_gradient(normal, taps, right, pull, chroma, balance, target, iterations, settled, x, seen, scratch):
    """Conjugate gradients on (G N G + D + E) x = r + (D + E) z from x, in place, preconditioned by the diagonal; z = target, all (3, h, w).

    At most `iterations`; fewer once a value's squared step, in variances that x is left with, is less than `settled` in the mean. The outermost `reach`
    pixels stay. right: G r. seen: G N G x inside; becomes that of the new x. scratch: see `scratch_for`.
    Returns 2 (z - x) . (G N G x - G r): what z explains the samples worse than the x that came out, at least; see `excess`.
    """
    shape = x.shape
    _, height, width = shape
    size = x.size
    reach = normal.shape[2] - 1
    plane = height * width
    some = 8 * width  # values whose sum single precision holds
    N = normal.reshape(-1)
    D = pull.reshape(-1)
    z = target.reshape(-1)
    b = right.reshape(-1)
    v = x.reshape(-1)
    known = seen.reshape(-1)
    p = scratch[0]
    image = scratch[1, :size]
    residual = scratch[2, :size]
    inverse = scratch[3, :size]
    preconditioner(N, taps, D, chroma, balance, shape, reach, inverse)
    # residual = r - G N G x - (D + E) (x - z)
    for k in range(GUARD):
        p[k] = f4(0)
        p[GUARD + size + k] = f4(0)
    for n in range(size):
        k = np.uint64(n)
        p[k + np.uint64(GUARD)] = z[k] - v[k]
        residual[k] = b[k] - known[k]
    pull_row(0, plane, 0, plane, D, chroma, balance, p, residual)
    clear_rim(residual, shape, reach)
    image[:] = f4(0)
    power = 0.0
    for k in range(0, size, some):
        power += advance(f4(0), k, min(k + some, size), p, image, inverse, v, residual)
    p[:] = f4(0)
    ratio = f4(0)
    for _ in range(iterations):
        curvature = system(N, taps, D, chroma, balance, ratio, residual, inverse, p, image, shape, reach, scratch[4], scratch[5])
        if not (curvature > 0.0 and power > 0.0):
            break
        step = f4(power / curvature)
        fresh = 0.0
        for k in range(0, size, some):
            fresh += advance(step, k, min(k + some, size), p, image, inverse, v, residual)
        ratio = f4(fresh / power)
        power = fresh
        if power < settled * size:
            break
    # G N G x = r + (D + E) (z - x) - residual
    for n in range(size):
        k = np.uint64(n)
        p[k + np.uint64(GUARD)] = z[k] - v[k]
        known[k] = b[k] - residual[k]
    pull_row(0, plane, 0, plane, D, chroma, balance, p, known)
    clear_rim(known, shape, reach)
    least = 0.0
    for c in range(3):
        for y in range(reach, height - reach):
            row = np.uint64((c * height + y) * width)
            part = f4(0)
            for n in range(reach, width - reach):
                k = row + np.uint64(n)
                part += p[k + np.uint64(GUARD)] * (known[k] - b[k])
            least += part
    return 2.0 * least


@compiled
def misfit_difference(normal, taps, right, target, x, seen, scratch):
    """By how much, in squared residuals over variance, z = target explains the samples worse than x: (z N z - 2 r z) - (x N x - 2 r x), over all pixels but
    the rim, with N for G N G and r = right, G r. seen: G N G x.
    """
    reach = normal.shape[2] - 1
    _, height, width = x.shape
    size = x.size
    z = target.reshape(-1)
    b = right.reshape(-1)
    v = x.reshape(-1)
    known = seen.reshape(-1)
    d = scratch[0]
    image = scratch[1, :size]
    for k in range(GUARD):
        d[k] = f4(0)
        d[GUARD + size + k] = f4(0)
    for n in range(size):
        k = np.uint64(n)
        d[k + np.uint64(GUARD)] = z[k] - v[k]
    data(normal.reshape(-1), taps, d, image, x.shape, reach, scratch[2], scratch[3])
    total = 0.0
    for c in range(3):
        for y in range(reach, height - reach):
            row = np.uint64((c * height + y) * width)
            part = f4(0)
            for n in range(reach, width - reach):
                k = row + np.uint64(n)
                part += z[k] * image[k] + d[k + np.uint64(GUARD)] * (known[k] - f4(2) * b[k])
            total += part
    return total
