"""Loops of robustness: mismatch, votes, robustness. Same arithmetic as `naive.py`, row by row; images of CFA cells are planes (3, h, w)."""

import numpy as np

from burstsr.core.flow_loops import between_tiles, row_shifts, segments_between, spaced
from burstsr.core.jit import compiled, inlined
from burstsr.robustness.statistics_loops import at_level

f4 = np.float32
u8 = np.uint64
MOST = f4(10)
UNSEEN = f4(-1)


@compiled
def mismatch_rows(first, last, ref_mean, sigma2, mean, flow, tile, curve_difference, out, field=None):
    """Compute the mismatch per CFA cell: d^2 / sigma^2 with d corrected for noise, at most MOST; UNSEEN outside the frame.

    ref_mean, mean (3, h, w): 3 x 3 means of cells. sigma2 (h, w). flow (nty, ntx, 2): raw pixels. curve_difference (3, n) over level 0 .. 1.
    The nearest cells of neighbours in a row are mostly neighbours too: runs of them form one vectorisable loop.
    """
    height, width = out.shape
    steps = f4(curve_difference.shape[1] - 1)
    row_of, row_share = between_tiles(spaced(height, 0.5, 2.0), tile, flow.shape[0])
    _, share, segments, of_tile = segments_between(spaced(width, 0.5, 2.0), tile, flow.shape[1])
    dy = np.empty(width, f4)
    dx = np.empty(width, f4)
    weights = np.empty((3, width), f4)  # of the lower and the right neighbour; whether inside the frame
    cells = np.empty((2, width), np.int32)
    one = u8(1)
    for y in range(first, last):
        row_shifts(flow, row_of[y], row_share[y], segments, of_tile, share, dy, dx)
        for x in range(width):
            qy = f4(y) + f4(0.5) * dy[x]
            qx = f4(x) + f4(0.5) * dx[x]
            seen = qy > f4(-0.5) and qx > f4(-0.5) and qy < f4(height) - f4(0.5) and qx < f4(width) - f4(0.5)
            qy = min(max(qy, f4(0)), f4(height - 1))
            qx = min(max(qx, f4(0)), f4(width - 1))
            a = min(np.int32(qy), np.int32(max(height - 2, 0)))
            b = min(np.int32(qx), np.int32(max(width - 2, 0)))
            cells[0, x] = a
            cells[1, x] = b
            weights[0, x] = qy - f4(a)
            weights[1, x] = qx - f4(b)
            weights[2, x] = f4(1) if seen else f4(0)
        begin = 0
        while begin < width:
            a = cells[0, begin]
            shift = cells[1, begin] - begin
            end = begin + 1
            while end < width and cells[0, end] == a and cells[1, end] - end == shift:
                end += 1
            top = u8(a)
            below = u8(min(a + 1, height - 1))
            left = u8(begin + shift)
            right = left + (one if width > 1 else u8(0))
            for n in range(u8(end - begin)):
                x = u8(begin) + n
                p = weights[0, x]
                q = weights[1, x]
                d2 = f4(0)
                for c in range(u8(3)):
                    upper = (f4(1) - q) * mean[c, top, left + n] + q * mean[c, top, right + n]
                    lower = (f4(1) - q) * mean[c, below, left + n] + q * mean[c, below, right + n]
                    r = ref_mean[c, y, x]
                    d = r - ((f4(1) - p) * upper + p * lower)
                    if field is None:
                        noise_d = curve_difference[c, u8(np.int32(min(max(r * steps + f4(0.5), f4(0)), steps)))]
                    else:
                        noise_d = at_level(curve_difference, c, r, field[c, y, x])
                    dd = d * d
                    shrink = dd / (dd + noise_d + f4(1e-20))
                    d2 += dd * shrink * shrink
                m = min(d2 / (sigma2[y, x] + f4(1e-20)), MOST)
                out[y, x] = m if weights[2, x] > f4(0) else UNSEEN
            begin = end


@compiled
def limit_rows(first, last, ref_mean, sigma2, curve_difference, noise_times, structure_times, out, field=None):
    """Compute the mismatch above which a single frame contradicts the reference: d^2 larger than noise, aliasing and misalignment explain.

    ref_mean (3, h, w), sigma2 (h, w), curve_difference (3, n) as for `mismatch_rows`. The limit of d^2 is noise_times its noise variance plus
    structure_times the local variance of structure.
    """
    steps = f4(curve_difference.shape[1] - 1)
    for y in range(first, last):
        for x in range(out.shape[1]):
            noise = f4(0)
            for c in range(3):
                if field is None:
                    noise += curve_difference[c, u8(np.int32(min(max(ref_mean[c, y, x] * steps + f4(0.5), f4(0)), steps)))]
                else:
                    noise += at_level(curve_difference, c, ref_mean[c, y, x], field[c, y, x])
            structure = max(sigma2[y, x] - f4(4.5) * noise, f4(0))  # 4.5: noise variance of a cell over that of a difference of 3 x 3 means
            out[y, x] = min((noise_times * noise + structure_times * structure) / (sigma2[y, x] + f4(1e-20)), f4(0.99) * MOST)


@compiled
def vote_rows(first, last, mismatch, limit, contradict, seen):
    """Count, per CFA cell, the frames that cover it, and those of them that contradict the reference there. contradict, seen: (h, w) uint16."""
    for y in range(first, last):
        for x in range(u8(mismatch.shape[1])):
            m = mismatch[y, x]
            contradict[y, x] += np.uint16(1 if m > limit[y, x] else 0)
            seen[y, x] += np.uint16(1 if m >= f4(0) else 0)


@inlined
def exp_below(x):
    """Return exp(x) for x <= 0: relative error 3e-6 down to -10, absolute error 1e-7 below."""
    t = max(x, f4(-20)) * f4(1.0 / 64.0)
    e = f4(1) + t * (f4(1) + t * (f4(1 / 2) + t * (f4(1 / 6) + t * (f4(1 / 24) + t * (f4(1 / 120) + t * f4(1 / 720))))))
    e *= e
    e *= e
    e *= e
    e *= e
    e *= e
    return e * e


@compiled
def robustness_rows(first, last, mismatch, side, factor, tile, tolerance, threshold, out):
    """Compute the robustness per CFA cell: clip(S exp(-m / tolerance) - threshold, 0, 1), minimum over 3 x 3; m: mean valid mismatch over side x side cells.

    mismatch (h, w) with UNSEEN, where robustness is 0; factor (nty, ntx): S per tile of `tile` raw pixels.
    """
    h, w = out.shape
    reach = side // 2
    columns = np.zeros((2, w + 2 * reach), f4)  # sums over rows: mismatch, and number of valid cells; borders replicated
    row_factor = np.empty(w, f4)
    ring = np.empty((3, w + 2), f4)
    minimum = np.empty(w + 2, f4)
    begin = max(first - 1, 0)
    one, two = u8(1), u8(2)
    wide = u8(side)
    for y in range(begin, min(last + 1, h)):
        columns[:] = f4(0)
        for dy in range(-reach, reach + 1):
            r = u8(min(max(y + dy, 0), h - 1))
            for x in range(u8(w)):
                k = x + u8(reach)
                m = mismatch[r, x]
                seen = f4(0) if m == UNSEEN else f4(1)
                columns[0, k] += m * seen
                columns[1, k] += seen
        for k in range(reach):
            for n in range(2):
                columns[n, k] = columns[n, reach]
                columns[n, w + reach + k] = columns[n, w + reach - 1]
        ty = min(2 * y // tile, factor.shape[0] - 1)
        for x in range(w):
            row_factor[x] = factor[ty, min(2 * x // tile, factor.shape[1] - 1)]
        slot = u8(y % 3)
        for x in range(u8(w)):
            total = f4(0)
            seen = f4(0)
            for k in range(wide):
                total += columns[0, x + k]
                seen += columns[1, x + k]
            value = row_factor[x] * exp_below(-total / (max(seen, f4(1e-6)) * tolerance)) - threshold
            ring[slot, x + one] = min(max(value, f4(0)), f4(1))
        ring[slot, 0] = ring[slot, 1]
        ring[slot, u8(w + 1)] = ring[slot, u8(w)]
        end = last if y == h - 1 else min(y, last)
        for r in range(int(max(y - 1, first)), end):  # the row whose neighbourhood is now complete (at the bottom: two rows)
            i, j, k = u8((r + 2) % 3 if r > 0 else 0), u8(r % 3), u8((r + 1) % 3 if r + 1 < h else r % 3)
            for x in range(u8(w + 2)):
                minimum[x] = min(ring[i, x], min(ring[j, x], ring[k, x]))
            for x in range(u8(w)):
                inside = f4(0) if mismatch[r, x] == UNSEEN else f4(1)
                out[r, x] = inside * min(minimum[x], min(minimum[x + one], minimum[x + two]))
