"""Loops of the data term: from the samples of a tile to its normal equations, and residuals from an image. Same arithmetic as `naive.py`.

Minimising  sum_i w_i (a_i . x - y_i)^2 / 2  requires of the samples only  N = A^T W A  and  r = A^T W y. N is a stencil, since the area of a sample covers at
most `reach + 1` pixels along an axis. It is symmetric; half of it is stored, N[c, y, dy, dx + reach, x] = N((y, x), (y + dy, x + dx)) of colour c.
"""

import math

import numpy as np

from burstsr.core.area_loops import cover, three
from burstsr.core.flow_loops import floor, single_flow_at
from burstsr.core.jit import compiled

f4 = np.float32
_ABREAST = 64  # samples whose weights are tabulated at once, so that stores are complete when they are read in another layout
_VECTOR = 16  # values per vector


@compiled
def locate(samples, place, cfa, scale, back, tile, lens, corner, cells, certainty, origin, where, how):
    """Find the positions of a frame's samples on a tile, without those whose area is not entirely inside.

    samples: (m, n) float32 crop of the mosaic, NaN where missing; place: raw (y, x) of its first. back: the inverse flow.
    lens: (3, 4), see `core.lateral.LateralAberration.table`.
    corner, cells: (y, x) of the first of the reference's CFA cells, and their number along each axis. certainty: (p, h, w), 1 / variance of a sample of each
    colour at each pixel of the tile. origin: (y, x) of the tile's first pixel in the image. Written for the samples inside, one CFA site after another:
    where (2, >= m n) int32, the first pixel under the area in (p, h, w) and the CFA cell; how (4, >= m n), the area's corner (y, x) within that pixel,
    certainty, sample. cfa: (py, px) channels. Returns py px + 1 numbers: where each site's samples begin, in the order of cfa.ravel(), and where they end.
    """
    height, width = certainty.shape[1:]
    reach = int(math.ceil(scale))
    s = f4(scale)
    first_y = f4(2 * corner[0])
    first_x = f4(2 * corner[1])
    down, across = cfa.shape
    bounds = np.zeros(cfa.size + 1, np.int64)
    count = 0
    for site in range(cfa.size):
        c = cfa[site // across, site % across]
        for m in range((site // across - place[0]) % down, samples.shape[0], down):
            for n in range((site % across - place[1]) % across, samples.shape[1], across):
                sample = samples[m, n]
                if math.isnan(sample):
                    continue
                qy = f4(place[0] + m)
                qx = f4(place[1] + n)
                off_y = qy - lens[c, 0]
                off_x = qx - lens[c, 1]
                grow = lens[c, 2] + lens[c, 3] * (off_y * off_y + off_x * off_x)
                qy += grow * off_y
                qx += grow * off_x
                dy, dx = single_flow_at(back, tile, qy, qx)
                py = qy + dy
                px = qx + dx
                start_y = py * s - f4(origin[0])
                start_x = px * s - f4(origin[1])
                y0 = floor(start_y)
                x0 = floor(start_x)
                if y0 < 0 or x0 < 0 or y0 + reach >= height or x0 + reach >= width:
                    continue
                ky = min(max(int((py - first_y) * f4(0.5) + f4(0.25)), 0), cells[0] - 1)
                kx = min(max(int((px - first_x) * f4(0.5) + f4(0.25)), 0), cells[1] - 1)
                where[0, count] = (c * height + y0) * width + x0
                where[1, count] = ky * cells[1] + kx
                how[0, count] = start_y - f4(y0)
                how[1, count] = start_x - f4(x0)
                how[2, count] = certainty[c, int(start_y + f4(0.5) * s), int(start_x + f4(0.5) * s)]
                how[3, count] = sample
                count += 1
        bounds[site + 1] = count
    return bounds


@compiled
def gather(where, how, first, last, scale, robustness, colour, shape, stencils, right):
    """Add samples first .. last of `locate`, all of one colour, to that colour's normal equations, weighted by robustness, flat, per CFA cell.

    stencils: (h w P) flat, per pixel the half stencil (dy, dx + reach) in a row, with stride P, see `lanes`; right: (3 h w). shape: (h, w).
    """
    reach = int(math.ceil(scale))
    taps = reach + 1
    wide = 2 * reach + 1
    stride = len(stencils) // (shape[0] * shape[1])  # lanes(reach); with a constant, LLVM would unroll the loops instead of vectorising them
    size = taps * wide + stride + reach  # of the table: fractions of the area per pixel in rows of a stencil, zeros between
    s = f4(scale)
    width = shape[1]
    start = colour * shape[0] * width
    tables = np.zeros(_ABREAST * size, f4)
    weights = np.zeros(_ABREAST, f4)
    share_y = np.zeros(taps, f4)
    share_x = np.zeros(taps, f4)
    for begin in range(first, last, _ABREAST):
        count = min(_ABREAST, last - begin)
        for i in range(count):
            k = np.uint64(begin + i)
            weights[i] = how[2, k] * robustness[np.uint64(where[1, k])]
            if reach == 2:
                y0, y1, y2 = three(how[0, k], s)
                x0, x1, x2 = three(how[1, k], s)
                t = np.uint64(i * size + 2)
                tables[t] = y0 * x0
                tables[t + np.uint64(1)] = y0 * x1
                tables[t + np.uint64(2)] = y0 * x2
                tables[t + np.uint64(5)] = y1 * x0
                tables[t + np.uint64(6)] = y1 * x1
                tables[t + np.uint64(7)] = y1 * x2
                tables[t + np.uint64(10)] = y2 * x0
                tables[t + np.uint64(11)] = y2 * x1
                tables[t + np.uint64(12)] = y2 * x2
                continue
            cover(how[0, k], s, share_y)
            cover(how[1, k], s, share_x)
            for a in range(taps):
                for b in range(taps):
                    tables[np.uint64(i * size + reach + wide * a + b)] = share_y[a] * share_x[b]
        for i in range(count):
            weight = weights[i]
            if weight <= f4(0):
                continue
            k = np.uint64(begin + i)
            sample = how[3, k]
            pixel = where[0, k] - start
            if reach == 2:
                for a in range(3):  # three pixels in one loop: separate loops would be too short for vectorisation
                    t = np.uint64(i * size + wide * a)
                    w0 = weight * tables[t + np.uint64(2)]
                    w1 = weight * tables[t + np.uint64(3)]
                    w2 = weight * tables[t + np.uint64(4)]
                    p = np.uint64(start + pixel + a * width)
                    right[p] += w0 * sample
                    right[p + np.uint64(1)] += w1 * sample
                    right[p + np.uint64(2)] += w2 * sample
                    p = np.uint64((pixel + a * width) * _VECTOR)
                    for n in range(stride):
                        k = np.uint64(n)
                        stencils[p + k] += w0 * tables[t + k]
                        stencils[p + k + np.uint64(_VECTOR)] += w1 * tables[t + k + np.uint64(1)]
                        stencils[p + k + np.uint64(2 * _VECTOR)] += w2 * tables[t + k + np.uint64(2)]
                continue
            for a in range(taps):
                for b in range(taps):
                    table = np.uint64(i * size + wide * a + b)
                    w = weight * tables[table + np.uint64(reach)]
                    right[np.uint64(start + pixel + a * width + b)] += w * sample
                    stencil = np.uint64((pixel + a * width + b) * stride)
                    for n in range(stride):
                        lane = np.uint64(n)
                        stencils[stencil + lane] += w * tables[table + lane]


@compiled
def lanes(reach):
    """Return the stride of a pixel's half stencil, in whole vectors."""
    return ((reach + 1) * (2 * reach + 1) + _VECTOR - 1) // _VECTOR * _VECTOR


@compiled
def lay_out(stencils, reach, normal):
    """Write normal (h, reach + 1, 2 reach + 1, w) of one colour from its pixels' stencils, flat; 0 for entries stored with other pixels."""
    height, taps, wide, width = normal.shape
    stride = lanes(reach)
    for y in range(height):
        for a in range(taps):
            for b in range(wide):
                row = normal[y, a, b]
                place = np.uint64(y * width * stride + a * wide + b)
                half = a > 0 or b >= reach
                for x in range(width):
                    row[np.uint64(x)] = stencils[place + np.uint64(x * stride)] if half else f4(0)


@compiled
def misfit(where, how, scale, image, width, total, count, signed):
    """Accumulate, per CFA cell, squared residuals over variance of the samples of `locate`, their number, and residuals over standard deviation.

    total, count, signed: flat. image: (3 h w), blurred by the lens, w its width. A saturated sample is a lower bound: it has no residual where the image is
    brighter.
    """
    s = f4(scale)
    taps = int(math.ceil(scale)) + 1
    share_y = np.zeros(taps, f4)
    share_x = np.zeros(taps, f4)
    for i in range(where.shape[1]):
        k = np.uint64(i)
        prediction = f4(0)
        place = np.uint64(where[0, k])
        if taps == 3:
            y0, y1, y2 = three(how[0, k], s)
            x0, x1, x2 = three(how[1, k], s)
            prediction += y0 * (x0 * image[place] + x1 * image[place + np.uint64(1)] + x2 * image[place + np.uint64(2)])
            place += np.uint64(width)
            prediction += y1 * (x0 * image[place] + x1 * image[place + np.uint64(1)] + x2 * image[place + np.uint64(2)])
            place += np.uint64(width)
            prediction += y2 * (x0 * image[place] + x1 * image[place + np.uint64(1)] + x2 * image[place + np.uint64(2)])
        else:
            cover(how[0, k], s, share_y)
            cover(how[1, k], s, share_x)
            for a in range(taps):
                for b in range(taps):
                    prediction += share_y[a] * share_x[b] * image[place + np.uint64(a * width + b)]
        residual = how[3, k] - prediction
        if how[3, k] >= f4(1) and residual < f4(0):
            residual = f4(0)
        weight = how[2, k]
        cell = np.uint64(where[1, k])
        total[cell] += residual * residual * weight
        count[cell] += f4(1)
        signed[cell] += residual * math.sqrt(weight)
