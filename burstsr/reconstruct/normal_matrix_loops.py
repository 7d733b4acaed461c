"""Loops of the normal matrix: its product with an image. Same arithmetic as `naive.py`.

normal: (p, h, reach + 1, 2 reach + 1, w), half of the symmetric stencil N, see `loops.py`, of p planes: 3, or of monochrome frames 1. taps: lens blur along
an axis, odd and symmetric; [1] = none.

N is by far the largest array and exceeds the fast caches: each of its rows is read once, for the pixels' own row and for the rows below, whose partial sums
are kept in `lines`. Planes are stored in sequence in flat arrays, and indices are unsigned: numba's wrap-around test would prevent vectorisation.
"""

import numpy as np

from burstsr.core.jit import compiled
from burstsr.reconstruct.aligned import VECTOR, aligned
from burstsr.reconstruct.footprint_loops import add_product

f4 = np.float32
GUARD = VECTOR  # padding before and after a plane, so that neighbours of its corners can be read
LINE = 528  # longest row, and the distance between lines


def scratch_for(shape, planes=6):
    """Allocate scratch memory for `cg_loops` and `seen_of` on (p, h, w)."""
    size = shape[0] * shape[1] * shape[2] + 2 * GUARD
    return aligned((planes, -(-size // GUARD) * GUARD))


@compiled
def any_reach(normal, at, x, place, width, reach, lines, line):
    """Compute a row of `product_row` for any reach, without partial sums: all rows of N that involve row y are read."""
    wide = 2 * reach + 1
    for k in range(reach, width - reach):
        lines[np.uint64(line + k)] = normal[np.uint64(at + reach * width + k)] * x[np.uint64(place + k)]
    for dy in range(reach + 1):
        above = at - dy * (reach + 1) * wide * width
        for dx in range(1 if dy == 0 else -reach, reach + 1):
            coefficients = (dy * wide + dx + reach) * width
            for k in range(reach, width - reach):
                lines[np.uint64(line + k)] += (
                    normal[np.uint64(at + coefficients + k)] * x[np.uint64(place + dy * width + k + dx)]
                    + normal[np.uint64(above + coefficients + k - dx)] * x[np.uint64(place - dy * width + k - dx)]
                )


@compiled
def product_row(normal, y, shape, reach, x, out, lines):
    """Compute row y of N x into flat `out`, except `reach` columns at either end; flat x begins after GUARD values. Rows must be processed in order.

    shape: (p, h, w). lines: three of each plane. For reach 2 a row of N is read once: the second and third hold partial sums for the next two rows.
    """
    planes, height, width = shape
    for c in range(planes):
        row = (c * height + y) * width
        at = row * (reach + 1) * (2 * reach + 1)
        line = 3 * c * LINE
        if reach != 2:
            if y >= reach:
                any_reach(normal, at, x, row + GUARD, width, reach, lines, line)
                for k in range(reach, width - reach):
                    out[np.uint64(row + k)] = lines[np.uint64(line + k)]
            continue
        here_line = np.uint64(line)
        next_line = np.uint64(line + LINE)
        after_line = np.uint64(line + 2 * LINE)
        one = np.uint64(1)
        two = np.uint64(2)
        w = np.uint64(width)
        own = np.uint64(at + 2 * width)
        own1 = own + w
        own2 = own1 + w
        a0 = own2 + w
        a1 = a0 + w
        a2 = a1 + w
        a3 = a2 + w
        a4 = a3 + w
        b0 = a4 + w
        b1 = b0 + w
        b2 = b1 + w
        b3 = b2 + w
        b4 = b3 + w
        x0 = np.uint64(row + GUARD)
        x1 = x0 + w
        x2 = x1 + w
        for n in range(width):
            k = np.uint64(n)
            far_left = x[x0 + k - two]
            left = x[x0 + k - one]
            here = x[x0 + k]
            right = x[x0 + k + one]
            far_right = x[x0 + k + two]
            lines[here_line + k] = (
                lines[next_line + k]
                + normal[own + k] * here
                + normal[own1 + k] * right
                + normal[own2 + k] * far_right
                + normal[own1 + k - one] * left
                + normal[own2 + k - two] * far_left
                + normal[a0 + k] * x[x1 + k - two]
                + normal[a1 + k] * x[x1 + k - one]
                + normal[a2 + k] * x[x1 + k]
                + normal[a3 + k] * x[x1 + k + one]
                + normal[a4 + k] * x[x1 + k + two]
                + normal[b0 + k] * x[x2 + k - two]
                + normal[b1 + k] * x[x2 + k - one]
                + normal[b2 + k] * x[x2 + k]
                + normal[b3 + k] * x[x2 + k + one]
                + normal[b4 + k] * x[x2 + k + two]
            )
            lines[next_line + k] = (
                lines[after_line + k]
                + normal[a0 + k + two] * far_right
                + normal[a1 + k + one] * right
                + normal[a2 + k] * here
                + normal[a3 + k - one] * left
                + normal[a4 + k - two] * far_left
            )
            lines[after_line + k] = (
                normal[b0 + k + two] * far_right
                + normal[b1 + k + one] * right
                + normal[b2 + k] * here
                + normal[b3 + k - one] * left
                + normal[b4 + k - two] * far_left
            )
        if y >= reach:
            for k in range(reach, width - reach):
                out[np.uint64(row + k)] = lines[np.uint64(line + k)]


@compiled
def guarded(x, out):
    """Copy x to flat `out`, with GUARD zeros before and after."""
    size = len(x)
    for k in range(GUARD):
        out[k] = f4(0)
        out[np.uint64(GUARD + size + k)] = f4(0)
    for k in range(size):
        out[np.uint64(GUARD + k)] = x[np.uint64(k)]


@compiled
def flat_product(normal, x, out, shape, reach):
    """Compute flat out = N x inside, x after GUARD values; the rim of `out` is unchanged."""
    lines = np.zeros(9 * LINE, f4)
    for y in range(shape[1] - reach):
        product_row(normal, y, shape, reach, x, out, lines)


@compiled
def product(normal, x, out):
    """Compute out = N x for x, out (p, h, w), except the outermost `reach` pixels, which are set to 0."""
    guard = np.empty(x.size + 2 * GUARD, f4)
    guarded(x.reshape(-1), guard)
    out[:] = f4(0)
    flat_product(normal.reshape(-1), guard, out.reshape(-1), x.shape, normal.shape[2] - 1)


@compiled
def blur(x, taps, between, out):
    """Blur x by `taps` along both axes into `out`; zeros beyond the borders, so that the blur is self-adjoint. between: scratch."""
    planes, height, width = x.shape
    n = len(taps) // 2
    for c in range(planes):
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


@compiled
def clear_rim(plane, shape, reach):
    """Set the outermost `reach` pixels of a flat (p, h, w) to 0."""
    planes, height, width = shape
    for c in range(planes):
        for y in range(height):
            row = (c * height + y) * width
            beyond = y < reach or y >= height - reach
            for k in range(width if beyond else reach):
                plane[np.uint64(row + k)] = f4(0)
                plane[np.uint64(row + width - 1 - k)] = f4(0)


@compiled
def data(normal, wide, taps, x, out, shape, reach, blurred, between):
    """Compute flat out = G N G x inside, x and scratch after GUARD values; the rim of `out` is undefined if there is a blur."""
    planes, height, width = shape
    if len(taps) == 1:
        flat_product(normal, x, out, shape, reach)
        if len(wide[0]) > 0:
            add_product(wide, width, x, GUARD, out)
        return
    size = planes * height * width
    plain = x[GUARD : GUARD + size].reshape(shape)
    seen = blurred[GUARD : GUARD + size]
    other = between[GUARD : GUARD + size]
    blur(plain, taps, other.reshape(shape), seen.reshape(shape))
    other[:] = f4(0)
    flat_product(normal, blurred, other, shape, reach)
    if len(wide[0]) > 0:
        add_product(wide, width, blurred, GUARD, other)
        clear_rim(other, shape, reach)
    blur(other.reshape(shape), taps, seen.reshape(shape), out.reshape(shape))


@compiled
def seen_of(normal, wide, taps, x, out, scratch):
    """Compute out = G N G x inside, 0 on the outermost `reach` pixels; all (p, h, w)."""
    reach = normal.shape[2] - 1
    guarded(x.reshape(-1), scratch[0])
    data(normal.reshape(-1), wide, taps, scratch[0], out.reshape(-1), x.shape, reach, scratch[1], scratch[2])
    clear_rim(out.reshape(-1), x.shape, reach)
