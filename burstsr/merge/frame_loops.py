"""Loops over a raw frame: its samples, their residuals from an image, and samples coincident with the reference's. Same arithmetic as `naive.py`.

`split` and `split_residuals` write sample planes as used by `loops.py`.
"""

import math

import numpy as np

from burstsr.core.area_loops import overlap, square_mean
from burstsr.core.flow_loops import between_tiles, row_shifts, segments_between, spaced
from burstsr.core.jit import compiled, inlined
from burstsr.core.loops import mirrored
from burstsr.merge.weigh_loops import BORDER, exp

f4 = np.float32
u8 = np.uint64
_TWO, _ONE = np.uint64(2), np.uint64(1)
_SATURATED = f4(1)


@inlined
def split_row(row, j, red, out, at, stride):
    """Write every second value of a row to `out` from `at` on, starting with plane column X = j; the others belong to the other plane."""
    width = len(row)
    shift = j - red - BORDER
    k0 = (1 - shift) // 2  # first index inside the row
    k1 = (width - shift + 1) // 2
    for k in range(k0):
        out[at + k] = row[mirrored(2 * k + shift, width)]
    inside = row[2 * k0 + shift :]
    start = u8(at + k0)
    for k in range(u8(k1 - k0)):
        out[start + k] = inside[_TWO * k]
    for k in range(k1, stride):
        out[at + k] = row[mirrored(2 * k + shift, width)]


@inlined
def sample_row(mosaic, y, black, gain, row):
    """Convert a raw row to samples, clipped at 1."""
    levels = mosaic[y]
    b0 = black[y & 1, 0]
    b1 = black[y & 1, 1]
    g0 = gain[y & 1, 0]
    g1 = gain[y & 1, 1]
    for k in range(u8(len(row) // 2)):
        row[_TWO * k] = min((f4(levels[_TWO * k]) - b0) * g0, f4(1))
        row[_TWO * k + _ONE] = min((f4(levels[_TWO * k + _ONE]) - b1) * g1, f4(1))


@compiled
def split(mosaic, black, gain, red, top, rows, stride, base, planes):
    """Write the samples of a frame, clipped at 1.0 = saturation, as four planes of `rows` rows from Y = top on, from planes[base] on.

    mosaic: (H, W) uint16. black, gain: (2, 2) float32 per site. red: its row and column in a CFA cell.
    """
    height, width = mosaic.shape
    row = np.empty(width, f4)
    for n in range(2 * rows):
        sample_row(mosaic, mirrored(top + n - red[0] - BORDER, height), black, gain, row)
        for j in range(2):
            split_row(row, j, red[1], planes, base + ((2 * (n & 1) + j) * rows + (n >> 1)) * stride, stride)


@compiled
def residual_row(row, y, red, image, flat, scale, dy, dx, start, weights, total, channels, most):
    """Replace a row's samples by their residuals from the image's mean over the pixel area, displaced by the row's shifts.

    A saturated sample, from `most` on, is a lower bound: its residual is 0 where the image is brighter. flat: the image, flattened. channels: (period, W),
    of the rows of one period of a pattern other than Bayer's; None: given by `red`. Scratch, per CFA cell: start, index of the first value under the pixel;
    weights (2 taps, w), of rows and of columns; total.
    """
    height, width = image.shape[:2]
    s = f4(scale)
    taps = int(math.ceil(scale)) + 1
    cells = u8(len(row) // 2)
    area = f4(1) / (s * s)
    for phase in range(2):
        channel = ((y + red[0]) & 1) + ((phase + red[1]) & 1)
        outside_count = 0
        for k in range(cells):
            py = (f4(y) + dy[_TWO * k + u8(phase)]) * s
            px = (f4(_TWO * k + u8(phase)) + dx[_TWO * k + u8(phase)]) * s
            y0 = math.floor(py)
            x0 = math.floor(px)
            outside_count += 1 if y0 < f4(0) or x0 < f4(0) or y0 + f4(taps) > f4(height) or x0 + f4(taps) > f4(width) else 0
            total[k] = f4(0)
            weights[0, k] = py - y0
            weights[taps, k] = px - x0
            y0 = max(min(y0, f4(height - taps)), f4(0))
            x0 = max(min(x0, f4(width - taps)), f4(0))
            if channels is None:  # resolved at compile time
                start[k] = (np.int64(y0) * width + np.int64(x0)) * 3 + channel
            else:
                start[k] = (np.int64(y0) * width + np.int64(x0)) * 3 + channels[y % channels.shape[0], _TWO * k + u8(phase)]
        for axis in range(2):
            for i in range(taps - 1, -1, -1):  # descending: the first holds the fraction that the others need
                for k in range(cells):
                    part = weights[u8(axis * taps), k]
                    weights[u8(axis * taps + i), k] = overlap(i, part, s)
        for i in range(taps):
            for j in range(taps):
                step = u8((i * width + j) * 3)
                for k in range(cells):
                    total[k] += weights[u8(i), k] * weights[u8(taps + j), k] * flat[u8(start[k]) + step]
        if outside_count > 0:
            for k in range(cells):
                py = (f4(y) + dy[_TWO * k + u8(phase)]) * s
                px = (f4(_TWO * k + u8(phase)) + dx[_TWO * k + u8(phase)]) * s
                if py < f4(0) or px < f4(0) or py + f4(taps) >= f4(height) or px + f4(taps) >= f4(width):
                    if channels is not None:
                        channel = channels[y % channels.shape[0], _TWO * k + u8(phase)]
                    total[k] = square_mean(image, py, px, s, taps, channel) * s * s
        for k in range(cells):
            x = row[_TWO * k + u8(phase)]
            residual = x - total[k] * area
            row[_TWO * k + u8(phase)] = f4(0) if x >= most and residual < f4(0) else residual


@compiled
def split_residuals(mosaic, black, gain, red, top, rows, stride, base, planes, image, scale, back, tile, channels=None, most=_SATURATED):
    """Write residuals as `split` writes samples: x(q) - mean of the image over the pixel area at p = q + back(q).

    image: (H', W', 3). back: (nty, ntx, 2), the inverse flow. channels, most: see `residual_row`.
    """
    height, width = mosaic.shape
    row = np.empty(width, f4)
    dy = np.empty(width, f4)
    dx = np.empty(width, f4)
    taps = int(math.ceil(scale)) + 1
    start = np.empty(width // 2, np.int64)
    weights = np.empty((2 * taps, width // 2), f4)
    total = np.empty(width // 2, f4)
    flat = image.reshape(-1)
    row_of, row_share = between_tiles(spaced(height, 0.0, 1.0), tile, back.shape[0])
    _, share, segments, of_tile = segments_between(spaced(width, 0.0, 1.0), tile, back.shape[1])
    for n in range(2 * rows):
        y = mirrored(top + n - red[0] - BORDER, height)
        sample_row(mosaic, y, black, gain, row)
        row_shifts(back, row_of[y], row_share[y], segments, of_tile, share, dy, dx)
        residual_row(row, y, red, image, flat, scale, dy, dx, start, weights, total, channels, most)
        for j in range(2):
            split_row(row, j, red[1], planes, base + ((2 * (n & 1) + j) * rows + (n >> 1)) * stride, stride)


@compiled
def same_site_mean(first, last, mosaic, black, gain, flow, tile, robustness, precision, period, num, den):
    """Add a frame's samples near the reference's: for each raw pixel the nearest sample of the same CFA site, weighted by its distance.

    num(p) += R exp(-1/2 precision |c - q|^2) x(c), c the sample nearest to q = p + flow(p) with p's CFA site. mosaic (H, W) uint16; num, den: (H, W).
    period: of the CFA per axis, float32: 2, 1, 6 of X-Trans, 4 of quad Bayer.
    """
    height, width = mosaic.shape
    row_of, row_share = between_tiles(spaced(height, 0.0, 1.0), tile, flow.shape[0])
    _, share, segments, of_tile = segments_between(spaced(width, 0.0, 1.0), tile, flow.shape[1])
    dy = np.empty(width, f4)
    dx = np.empty(width, f4)
    w = np.empty(width, f4)
    half = f4(0.5)
    inverse = f4(1) / period
    for py in range(first, last):
        row_shifts(flow, row_of[py], row_share[py], segments, of_tile, share, dy, dx)
        for px in range(u8(width)):
            my = period * math.floor(inverse * dy[px] + half)
            mx = period * math.floor(inverse * dx[px] + half)
            ey = my - dy[px]
            ex = mx - dx[px]
            w[px] = exp(max(-half * precision * (ey * ey + ex * ex), f4(-24.0)))
            dy[px] = my
            dx[px] = mx
        robustness_row = robustness[py >> 1]
        for px in range(width):
            if w[px] < f4(1e-6):
                continue
            cy = py + int(dy[px])
            cx = px + int(dx[px])
            if cy < 0 or cx < 0 or cy >= height or cx >= width:
                continue
            r = w[px] * robustness_row[px >> 1]
            num[py, px] += r * min((f4(mosaic[u8(cy), u8(cx)]) - black[cy & 1, cx & 1]) * gain[cy & 1, cx & 1], f4(1))
            den[py, px] += r
