"""The normal equations' loops: their product with a picture, and conjugate gradients. Same arithmetic as `paper.py`.

normal: (3, h, reach + 1, 2 reach + 1, w), half of the symmetric stencil N, see `loops.py`. taps: the lens's blur along an axis, odd and symmetric; [1] = none.
"""

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32


@inlined
def _two_rows(first, x_first, second, x_second, reach, lowest, width, row):
    """row[k] += sum_dx first[dx, k] x_first[k + dx] + second[dx, k - dx] x_second[k - dx], for dx from `lowest` on."""
    count = width - 2 * reach
    out = row[reach : reach + count]
    for dx in range(lowest, reach + 1):
        a = (dx + reach) * width + reach
        below = first[a : a + count]
        x_below = x_first[reach + dx : reach + dx + count]
        above = second[a - dx : a - dx + count]
        x_above = x_second[reach - dx : reach - dx + count]
        for k in range(count):
            out[k] += below[k] * x_below[k] + above[k] * x_above[k]


@inlined
def _two_rows_of_five(first, x_first, second, x_second, width, row):
    """The same for reach 2 and all dx, written out; indices are unsigned, or numba's test for negative ones would keep LLVM from vectorising."""
    one = np.uint64(1)
    two = np.uint64(2)
    a = np.uint64(width)
    b = np.uint64(2 * width)
    c = np.uint64(3 * width)
    d = np.uint64(4 * width)
    for n in range(2, width - 2):
        k = np.uint64(n)
        row[k] += (
            first[k] * x_first[k - two]
            + first[a + k] * x_first[k - one]
            + first[b + k] * x_first[k]
            + first[c + k] * x_first[k + one]
            + first[d + k] * x_first[k + two]
            + second[k + two] * x_second[k + two]
            + second[a + k + one] * x_second[k + one]
            + second[b + k] * x_second[k]
            + second[c + k - one] * x_second[k - one]
            + second[d + k - two] * x_second[k - two]
        )


@inlined
def _own_row_of_five(half, own, width, row):
    """row[k] = what the pixel's own row contributes, for reach 2."""
    one = np.uint64(1)
    two = np.uint64(2)
    b = np.uint64(2 * width)
    c = np.uint64(3 * width)
    d = np.uint64(4 * width)
    for n in range(2, width - 2):
        k = np.uint64(n)
        row[k] = (
            half[b + k] * own[k] + half[c + k] * own[k + one] + half[d + k] * own[k + two] + half[c + k - one] * own[k - one] + half[d + k - two] * own[k - two]
        )


@compiled
def product(normal, x, out):
    """out = N x for x, out (3, h, w), but for the outermost `reach` pixels, which become 0."""
    height, width = x.shape[1:]
    reach = normal.shape[2] - 1
    for c in range(3):
        for y in range(height):
            row = out[c, y]
            for k in range(width):
                row[k] = f4(0)
            if y < reach or y >= height - reach:
                continue
            own = x[c, y]
            half = normal[c, y, 0].reshape(-1)
            if reach == 2:
                _own_row_of_five(half, own, width, row)
            else:
                for k in range(reach, width - reach):
                    row[k] = half[reach * width + k] * own[k]
                _two_rows(half, own, half, own, reach, 1, width, row)
            for dy in range(1, reach + 1):
                below = normal[c, y, dy].reshape(-1)
                above = normal[c, y - dy, dy].reshape(-1)
                if reach == 2:
                    _two_rows_of_five(below, x[c, y + dy], above, x[c, y - dy], width, row)
                else:
                    _two_rows(below, x[c, y + dy], above, x[c, y - dy], reach, -reach, width, row)


@compiled
def blur(x, taps, between, out):
    """out = x blurred by `taps` along both axes; zeros beyond the borders, so that the blur is its own adjoint. between: scratch."""
    _, height, width = x.shape
    n = len(taps) // 2
    for c in range(3):
        for y in range(height):
            row = between[c, y]
            own = x[c, y]
            for k in range(width):
                row[k] = taps[n] * own[k]
            for i in range(1, n + 1):
                t = taps[n + i]
                for k in range(0, width - i):
                    row[k] += t * own[k + i]
                for k in range(i, width):
                    row[k] += t * own[k - i]
        for y in range(height):
            row = out[c, y]
            for k in range(width):
                row[k] = taps[n] * between[c, y, k]
            for i in range(1, n + 1):
                t = taps[n + i]
                if y + i < height:
                    other = between[c, y + i]
                    for k in range(width):
                        row[k] += t * other[k]
                if y >= i:
                    other = between[c, y - i]
                    for k in range(width):
                        row[k] += t * other[k]


@inlined
def data(normal, taps, x, out, blurred, between):
    """out = G N G x."""
    if len(taps) == 1:
        product(normal, x, out)
    else:
        blur(x, taps, between, blurred)
        product(normal, blurred, between)
        blur(between, taps, blurred, out)


@inlined
def add_pull(pull, chroma, balance, x, out):
    """out += (D + E) x, with D = pull and E = chroma C^T D_g C, where C x = (r - g, b - g) of white-balanced values."""
    _, height, width = x.shape
    inverse_r = f4(1) / balance[0]
    inverse_g = f4(1) / balance[1]
    inverse_b = f4(1) / balance[2]
    for y in range(height):
        for k in range(width):
            r = x[0, y, k] * inverse_r
            g = x[1, y, k] * inverse_g
            b = x[2, y, k] * inverse_b
            q = chroma * pull[1, y, k]
            red = q * (r - g)
            blue = q * (b - g)
            out[0, y, k] += pull[0, y, k] * x[0, y, k] + red * inverse_r
            out[1, y, k] += pull[1, y, k] * x[1, y, k] - (red + blue) * inverse_g
            out[2, y, k] += pull[2, y, k] * x[2, y, k] + blue * inverse_b


@compiled
def descend(normal, taps, right, pull, chroma, balance, target, iterations, x, scratch):
    """Conjugate gradients on (G N G + D + E) x = r + (D + E) z from x, in place, preconditioned by the diagonal; z = target, all (3, h, w).

    The outermost `reach` pixels stay. right: G r. scratch: (5, 3, h, w). Returns by how much, in squared residuals over variance, z explains the samples
    worse than the x that came out: (z N z - 2 r z) - (x N x - 2 r x), over all pixels.
    """
    _, height, width = x.shape
    reach = normal.shape[2] - 1
    residual = scratch[0]
    direction = scratch[1]
    image = scratch[2]
    blurred = scratch[3]
    between = scratch[4]
    sharpness = f4(0)
    for t in taps:
        sharpness += t * t
    sharpness *= sharpness
    data(normal, taps, target, residual, blurred, between)
    excess = 0.0
    for c in range(3):
        for y in range(reach, height - reach):
            part = f4(0)
            for k in range(reach, width - reach):
                part += target[c, y, k] * (residual[c, y, k] - f4(2) * right[c, y, k])
            excess += part
    for c in range(3):
        for y in range(height):
            for k in range(width):
                direction[c, y, k] = x[c, y, k] - target[c, y, k]
    data(normal, taps, direction, image, blurred, between)
    add_pull(pull, chroma, balance, direction, image)
    power = 0.0
    for c in range(3):
        extra = (f4(2) if c == 1 else f4(1)) * chroma / (balance[c] * balance[c])
        for y in range(height):
            g = residual[c, y]
            p = direction[c, y]
            for k in range(width):
                g[k] = right[c, y, k] - g[k] - image[c, y, k]
                p[k] = f4(0)
            for k in range(reach):
                g[k] = f4(0)
                g[width - 1 - k] = f4(0)
            if y < reach or y >= height - reach:
                for k in range(width):
                    g[k] = f4(0)
                continue
            d = pull[c, y]
            e = pull[1, y]
            n = normal[c, y, 0, reach]
            part = f4(0)
            for k in range(reach, width - reach):
                p[k] = g[k] / (sharpness * n[k] + d[k] + extra * e[k])
                part += g[k] * p[k]
            power += part
    for _ in range(iterations):
        data(normal, taps, direction, image, blurred, between)
        add_pull(pull, chroma, balance, direction, image)
        curvature = 0.0
        for c in range(3):
            for y in range(reach, height - reach):
                part = f4(0)
                p = direction[c, y]
                q = image[c, y]
                for k in range(reach, width - reach):
                    part += p[k] * q[k]
                curvature += part
        if not (curvature > 0.0 and power > 0.0):
            break
        step = f4(power / curvature)
        fresh = 0.0
        for c in range(3):
            extra = (f4(2) if c == 1 else f4(1)) * chroma / (balance[c] * balance[c])
            for y in range(reach, height - reach):
                part = f4(0)
                p = direction[c, y]
                g = residual[c, y]
                q = image[c, y]
                own = x[c, y]
                d = pull[c, y]
                e = pull[1, y]
                n = normal[c, y, 0, reach]
                for k in range(reach, width - reach):
                    own[k] += step * p[k]
                    g[k] -= step * q[k]
                    q[k] = g[k] / (sharpness * n[k] + d[k] + extra * e[k])
                    part += g[k] * q[k]
                fresh += part
        ratio = f4(fresh / power)
        power = fresh
        for c in range(3):
            for y in range(reach, height - reach):
                p = direction[c, y]
                q = image[c, y]
                for k in range(reach, width - reach):
                    p[k] = q[k] + ratio * p[k]
    # x N x - 2 r x
    data(normal, taps, x, image, blurred, between)
    for c in range(3):
        for y in range(reach, height - reach):
            part = f4(0)
            for k in range(reach, width - reach):
                part += x[c, y, k] * (image[c, y, k] - f4(2) * right[c, y, k])
            excess -= part
    return excess
