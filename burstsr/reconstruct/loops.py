"""The data term's loops: samples of a tile to normal equations, and their solution. Same arithmetic as `paper.py`.

Minimising  sum_i w_i (a_i . x - y_i)^2 / 2  needs of the samples only  N = A^T W A  and  r = A^T W y: N is a stencil, since a sample's square covers at most
`reach + 1` pixels along an axis. It is symmetric; half of it is kept, N[c, y, dy, dx + reach, x] = N((y, x), (y + dy, x + dx)) of colour c.
"""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32


@inlined
def floor(x):
    """The whole number at or below x; math.floor would be a call."""
    i = int(x)
    return i - 1 if f4(i) > x else i


@compiled
def position(y, x, back, tile):
    """p = q + back(q) at q = (y, x), bilinear between tile centres."""
    nty, ntx = back.shape[:2]
    t = (y + f4(0.5)) / f4(tile) - f4(0.5)
    i = min(max(floor(t), 0), max(nty - 2, 0))
    v = t - f4(i) if nty > 1 else f4(0)
    t = (x + f4(0.5)) / f4(tile) - f4(0.5)
    j = min(max(floor(t), 0), max(ntx - 2, 0))
    u = t - f4(j) if ntx > 1 else f4(0)
    i1 = min(i + 1, nty - 1)
    j1 = min(j + 1, ntx - 1)
    dy0 = back[i, j, 0] + u * (back[i, j1, 0] - back[i, j, 0])
    dy1 = back[i1, j, 0] + u * (back[i1, j1, 0] - back[i1, j, 0])
    dx0 = back[i, j, 1] + u * (back[i, j1, 1] - back[i, j, 1])
    dx1 = back[i1, j, 1] + u * (back[i1, j1, 1] - back[i1, j, 1])
    return y + dy0 + v * (dy1 - dy0), x + dx0 + v * (dx1 - dx0)


@compiled
def cover(start, scale, share):
    """First pixel under [start, start + scale], and into `share` what part of that length each pixel from it on takes; they sum to 1."""
    first = floor(start)
    for k in range(len(share)):
        share[k] = max(min(f4(first + k + 1), start + scale) - max(f4(first + k), start), f4(0)) / scale
    return first


@compiled
def spread(weight, sample, share_y, share_x, taps, first, width, normal, right):
    """Add one sample, whose square begins in pixel `first` (counted in rows of `width`), to flat normal and right. taps: reach + 1."""
    wide = 2 * taps - 1
    row_size = taps * wide * width
    y = first // width
    x = first - y * width
    for a in range(taps):
        row = np.uint64((y + a) * row_size + x)
        place = np.uint64(first + a * width)
        for b in range(taps):
            w = weight * share_y[a] * share_x[b]
            right[place + np.uint64(b)] += w * sample
            for a1 in range(a, taps):
                t = w * share_y[a1]
                for b1 in range(b if a1 == a else 0, taps):
                    normal[row + np.uint64(((a1 - a) * wide + b1 - b + taps - 1) * width + b)] += t * share_x[b1]


@compiled
def gather(samples, place, cfa, scale, back, tile, trust, corner, certainty, origin, normal, right):
    """Add samples of a frame to a tile's normal equations.

    samples: (m, n) float32 crop of the mosaic, NaN where there is none; place: raw (y, x) of its first. back: the inverse flow.
    trust: quads of the reference from `corner` (y, x) on. certainty: (3, h, w), 1 / variance of a sample of each colour at each pixel of the tile.
    origin: (y, x) of the tile's first pixel in the picture. normal: (3, h, reach + 1, 2 reach + 1, w); right: (3, h, w).
    Samples whose square leaves the tile are left out.
    """
    height, width = right.shape[1:]
    reach = normal.shape[2] - 1
    s = f4(scale)
    first_y = f4(2 * corner[0])
    first_x = f4(2 * corner[1])
    share_y = np.zeros(reach + 1, f4)
    share_x = np.zeros(reach + 1, f4)
    flat_normal = normal.reshape(-1)
    flat_right = right.reshape(-1)
    for m in range(samples.shape[0]):
        for n in range(samples.shape[1]):
            sample = samples[m, n]
            if math.isnan(sample):
                continue
            py, px = position(f4(place[0] + m), f4(place[1] + n), back, tile)
            start_y = py * s - f4(origin[0])
            start_x = px * s - f4(origin[1])
            y0 = floor(start_y)
            x0 = floor(start_x)
            if y0 < 0 or x0 < 0 or y0 + reach >= height or x0 + reach >= width:
                continue
            ky = min(max(int((py - first_y) * f4(0.5) + f4(0.25)), 0), trust.shape[0] - 1)
            kx = min(max(int((px - first_x) * f4(0.5) + f4(0.25)), 0), trust.shape[1] - 1)
            weight = trust[ky, kx]
            if weight <= f4(0):
                continue
            c = cfa[(place[0] + m) & 1, (place[1] + n) & 1]
            weight *= certainty[c, int(start_y + f4(0.5) * s), int(start_x + f4(0.5) * s)]
            cover(start_y, s, share_y)
            cover(start_x, s, share_x)
            first = (c * height + y0) * width + x0
            if reach == 2:
                spread(weight, sample, share_y, share_x, 3, first, width, flat_normal, flat_right)
            elif reach == 1:
                spread(weight, sample, share_y, share_x, 2, first, width, flat_normal, flat_right)
            else:
                spread(weight, sample, share_y, share_x, reach + 1, first, width, flat_normal, flat_right)


@compiled
def misfit(samples, place, cfa, scale, back, tile, picture, corner, certainty, origin, total, count, signed):
    """Add up, per quad of the reference from `corner` on, squared residuals over variance of a frame's samples, how many they are, and residuals over
    deviation with their signs: total, count, signed (m, n) float32.

    picture: (3, h, w), blurred as the lens does. See `gather` for the rest. A saturated sample says no more than that the light is at least as strong.
    """
    height, width = picture.shape[1:]
    s = f4(scale)
    taps = int(math.ceil(scale)) + 1
    share_y = np.zeros(taps, f4)
    share_x = np.zeros(taps, f4)
    first_y = f4(2 * corner[0])
    first_x = f4(2 * corner[1])
    for m in range(samples.shape[0]):
        for n in range(samples.shape[1]):
            sample = samples[m, n]
            if math.isnan(sample):
                continue
            py, px = position(f4(place[0] + m), f4(place[1] + n), back, tile)
            start_y = py * s - f4(origin[0])
            start_x = px * s - f4(origin[1])
            y0 = floor(start_y)
            x0 = floor(start_x)
            if y0 < 0 or x0 < 0 or y0 + taps > height or x0 + taps > width:
                continue
            c = cfa[(place[0] + m) & 1, (place[1] + n) & 1]
            cover(start_y, s, share_y)
            cover(start_x, s, share_x)
            guess = f4(0)
            for a in range(taps):
                for b in range(taps):
                    guess += share_y[a] * share_x[b] * picture[c, y0 + a, x0 + b]
            left = sample - guess
            if sample >= f4(1) and left < f4(0):
                left = f4(0)
            ky = min(max(int((py - first_y) * f4(0.5) + f4(0.25)), 0), total.shape[0] - 1)
            kx = min(max(int((px - first_x) * f4(0.5) + f4(0.25)), 0), total.shape[1] - 1)
            weight = certainty[c, int(start_y + f4(0.5) * s), int(start_x + f4(0.5) * s)]
            total[ky, kx] += left * left * weight
            count[ky, kx] += f4(1)
            signed[ky, kx] += left * math.sqrt(weight)
