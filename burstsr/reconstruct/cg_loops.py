"""Conjugate gradients on the normal equations. Same arithmetic as `naive.py`; normal, taps and flat planes as in `normal_matrix_loops`.

Of p = 3 planes, or of one: then `balance`, the white balance (3,), is None, which is resolved at compile time, and there are no colour differences.
"""

import numpy as np

from burstsr.core.jit import compiled
from burstsr.reconstruct.normal_matrix_loops import GUARD, LINE, clear_rim, data, product_row

f4 = np.float32


@compiled
def penalty_row(row, size, first, last, penalty, chroma, balance, x, out):
    """Add (D + E) x to out on pixels row + first .. row + last of planes `size` apart, and return x . out there.

    D = diag(penalty), E = chroma C^T D_g C, where C x = (r - g, b - g) of white-balanced values; of one plane E = 0. All flat, x after GUARD values.
    """
    if balance is None:
        total = f4(0)
        for n in range(first, last):
            k = np.uint64(row) + np.uint64(n)
            value = x[k + np.uint64(GUARD)]
            of_value = out[k] + penalty[k] * value
            out[k] = of_value
            total += value * of_value
        return total
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
        q = chroma * penalty[green + k]
        to_red = q * (r * inverse_r - g * inverse_g)
        to_blue = q * (b * inverse_b - g * inverse_g)
        of_red = out[red + k] + penalty[red + k] * r + to_red * inverse_r
        of_green = out[green + k] + penalty[green + k] * g - (to_red + to_blue) * inverse_g
        of_blue = out[blue + k] + penalty[blue + k] * b + to_blue * inverse_b
        out[red + k] = of_red
        out[green + k] = of_green
        out[blue + k] = of_blue
        total += r * of_red + g * of_green + b * of_blue
    return total


@compiled
def update_direction(ratio, first, last, size, planes, residual, inverse, p):
    """Compute p = inverse residual + ratio p on first .. last of planes `size` apart, flat, p after GUARD values."""
    for c in range(planes):
        for n in range(c * size + first, c * size + last):
            k = np.uint64(n)
            p[k + np.uint64(GUARD)] = residual[k] * inverse[k] + ratio * p[k + np.uint64(GUARD)]


@compiled
def system(normal, wide, taps, penalty, chroma, balance, ratio, residual, inverse, p, out, shape, reach, blurred, between):
    """Compute p = inverse residual + ratio p, and flat out = (G N G + D + E) p inside, p after GUARD values. Return p . out."""
    planes, height, width = shape
    size = height * width
    total = 0.0
    if len(taps) == 1 and len(wide[0]) == 0:
        lines = np.zeros(9 * LINE, f4)
        for y in range(height):
            update_direction(ratio, y * width, (y + 1) * width, size, planes, residual, inverse, p)
            if y >= reach:  # p is updated for all rows that this one needs
                product_row(normal, y - reach, shape, reach, p, out, lines)
            if y >= 2 * reach:
                total += penalty_row((y - reach) * width, size, reach, width - reach, penalty, chroma, balance, p, out)
        return total
    update_direction(ratio, 0, size, size, planes, residual, inverse, p)
    data(normal, wide, taps, p, out, shape, reach, blurred, between)
    for y in range(reach, height - reach):
        total += penalty_row(y * width, size, reach, width - reach, penalty, chroma, balance, p, out)
    clear_rim(out, shape, reach)
    return total


@compiled
def preconditioner(normal, wide, taps, penalty, chroma, balance, shape, reach, out):
    """Compute flat out = 1 / diagonal of G N G + D + E, neglecting the blur's products across pixels."""
    planes, height, width = shape
    sharpness = f4(0)
    for t in taps:
        sharpness += t * t
    sharpness *= sharpness
    blurred = len(wide[6]) > 0
    stride = (reach + 1) * (2 * reach + 1) * width
    for c in range(planes):
        extra = f4(0) if balance is None else (f4(2) if c == 1 else f4(1)) * chroma / (balance[c] * balance[c])
        for y in range(height):
            row = np.uint64((c * height + y) * width)
            green = row if balance is None else np.uint64((height + y) * width)
            diagonal = np.uint64((c * height + y) * stride + reach * width)
            for n in range(width):
                k = np.uint64(n)
                own = normal[diagonal + k] + wide[6][row + k] if blurred else normal[diagonal + k]
                out[row + k] = f4(1) / max(sharpness * own + penalty[row + k] + extra * penalty[green + k], f4(1e-30))


@compiled
def advance(step, first, last, p, image, inverse, x, residual):
    """Update x += step p and residual -= step image on first .. last, flat, p after GUARD values. Return residual . inverse residual there."""
    total = f4(0)
    for n in range(first, last):
        k = np.uint64(n)
        x[k] += step * p[k + np.uint64(GUARD)]
        remaining = residual[k] - step * image[k]
        residual[k] = remaining
        total += remaining * remaining * inverse[k]
    return total


@compiled
def conjugate_gradient(normal, wide, taps, right, penalty, chroma, balance, target, iterations, tolerance, x, seen, scratch):
    """Solve (G N G + D + E) x = r + (D + E) z from x, in place, by conjugate gradients with a diagonal preconditioner; z = target, all (p, h, w).

    Stops after `iterations`, or once the mean squared step, relative to the remaining variance of x, is less than `tolerance`. The outermost `reach` pixels are
    fixed. right: G r. seen: G N G x inside; updated for the new x. scratch: see `scratch_for`.
    Returns 2 (z - x) . (G N G x - G r), a lower bound of `misfit_difference`.
    """
    shape = x.shape
    planes, height, width = shape
    size = x.size
    reach = normal.shape[2] - 1
    plane = height * width
    chunk = 8 * width  # values summed in single precision
    N = normal.reshape(-1)
    D = penalty.reshape(-1)
    z = target.reshape(-1)
    b = right.reshape(-1)
    v = x.reshape(-1)
    model = seen.reshape(-1)
    p = scratch[0]
    image = scratch[1, :size]
    residual = scratch[2, :size]
    inverse = scratch[3, :size]
    preconditioner(N, wide, taps, D, chroma, balance, shape, reach, inverse)
    # residual = r - G N G x - (D + E) (x - z)
    for k in range(GUARD):
        p[k] = f4(0)
        p[GUARD + size + k] = f4(0)
    for n in range(size):
        k = np.uint64(n)
        p[k + np.uint64(GUARD)] = z[k] - v[k]
        residual[k] = b[k] - model[k]
    penalty_row(0, plane, 0, plane, D, chroma, balance, p, residual)
    clear_rim(residual, shape, reach)
    image[:] = f4(0)
    power = 0.0
    for k in range(0, size, chunk):
        power += advance(f4(0), k, min(k + chunk, size), p, image, inverse, v, residual)
    p[:] = f4(0)
    ratio = f4(0)
    for _ in range(iterations):
        curvature = system(N, wide, taps, D, chroma, balance, ratio, residual, inverse, p, image, shape, reach, scratch[4], scratch[5])
        if not (curvature > 0.0 and power > 0.0):
            break
        step = f4(power / curvature)
        fresh = 0.0
        for k in range(0, size, chunk):
            fresh += advance(step, k, min(k + chunk, size), p, image, inverse, v, residual)
        ratio = f4(fresh / power)
        power = fresh
        if power < tolerance * size:
            break
    # G N G x = r + (D + E) (z - x) - residual
    for n in range(size):
        k = np.uint64(n)
        p[k + np.uint64(GUARD)] = z[k] - v[k]
        model[k] = b[k] - residual[k]
    penalty_row(0, plane, 0, plane, D, chroma, balance, p, model)
    clear_rim(model, shape, reach)
    least = 0.0
    for c in range(planes):
        for y in range(reach, height - reach):
            row = np.uint64((c * height + y) * width)
            part = f4(0)
            for n in range(reach, width - reach):
                k = row + np.uint64(n)
                part += p[k + np.uint64(GUARD)] * (model[k] - b[k])
            least += part
    return 2.0 * least


@compiled
def misfit_difference(normal, wide, taps, right, target, x, seen, scratch):
    """Return the excess of z's squared residuals over variance over x's: (z N z - 2 r z) - (x N x - 2 r x), z = target, over all pixels but the rim.

    N stands for G N G and r = right, G r. seen: G N G x.
    """
    reach = normal.shape[2] - 1
    planes, height, width = x.shape
    size = x.size
    z = target.reshape(-1)
    b = right.reshape(-1)
    v = x.reshape(-1)
    model = seen.reshape(-1)
    d = scratch[0]
    image = scratch[1, :size]
    for k in range(GUARD):
        d[k] = f4(0)
        d[GUARD + size + k] = f4(0)
    for n in range(size):
        k = np.uint64(n)
        d[k + np.uint64(GUARD)] = z[k] - v[k]
    data(normal.reshape(-1), wide, taps, d, image, x.shape, reach, scratch[2], scratch[3])
    total = 0.0
    for c in range(planes):
        for y in range(reach, height - reach):
            row = np.uint64((c * height + y) * width)
            part = f4(0)
            for n in range(reach, width - reach):
                k = row + np.uint64(n)
                part += z[k] * image[k] + d[k + np.uint64(GUARD)] * (model[k] - f4(2) * b[k])
            total += part
    return total
