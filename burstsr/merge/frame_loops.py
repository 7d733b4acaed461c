"""Loops over the raw frame: what a picture leaves unexplained of it, and which of its samples lie on the reference's own. As in `paper.py`."""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined
from burstsr.merge.loops import between_tiles, exp_negative, row_positions

f4 = np.float32


@inlined
def square_mean(picture, y, x, side, taps, channel):
    """Mean of one channel over the square [y, y + side] x [x, x + side] in edge coordinates (pixel i covers i .. i + 1), borders continued."""
    height, width = picture.shape[:2]
    y0 = int(math.floor(y))
    x0 = int(math.floor(x))
    total = f4(0)
    for i in range(y0, y0 + taps):
        row = f4(0)
        k = min(max(i, 0), height - 1)
        for j in range(x0, x0 + taps):
            share = max(min(f4(j + 1), x + side) - max(f4(j), x), f4(0))
            row += share * picture[np.uint64(k), np.uint64(min(max(j, 0), width - 1)), np.uint64(channel)]
        total += row * max(min(f4(i + 1), y + side) - max(f4(i), y), f4(0))
    return total / (side * side)


@compiled
def residuals(first, last, mosaic, cfa, picture, scale, back, tile, out):
    """What a picture leaves unexplained of a frame: out(q) = x(q) - mean of the picture over the pixel's square at p = q + back(q).

    Rows first .. last of the raw frame; mosaic and out: (H, W). picture: (H', W', 3). back: (nty, ntx, 2), the inverse flow.
    A saturated sample says no more than that the light is at least as strong.
    """
    height, width = mosaic.shape
    s = f4(scale)
    taps = int(math.ceil(scale)) + 1
    y = np.arange(height).astype(f4)
    x = np.arange(width).astype(f4)
    row_of, row_share, _, _ = between_tiles(y, tile, back.shape[0])
    _, share, segments, of_tile = between_tiles(x, tile, back.shape[1])
    py = np.empty(width, f4)
    px = np.empty(width, f4)
    for qy in range(first, last):
        row_positions(y[qy], back, row_of[qy], row_share[qy], segments, of_tile, share, x, py, px)
        for phase in range(2):
            channel = cfa[qy & 1, phase]
            for qx in range(phase, width, 2):
                left = mosaic[qy, qx] - square_mean(picture, py[qx] * s, px[qx] * s, s, taps, channel)
                out[qy, qx] = f4(0) if mosaic[qy, qx] >= f4(1) and left < f4(0) else left


@compiled
def same_site_mean(first, last, mosaic, flow, tile, trust, precision, num, den):
    """Add a frame's samples that lie at the reference's own: of each raw pixel's site the nearest sample, by its distance.

    num(p) += R exp(-1/2 precision |c - q|^2) x(c), c the sample nearest to q = p + flow(p) with p's CFA site. mosaic, num, den: (H, W).
    """
    height, width = mosaic.shape
    y = np.arange(height).astype(f4)
    x = np.arange(width).astype(f4)
    row_of, row_share, _, _ = between_tiles(y, tile, flow.shape[0])
    _, share, segments, of_tile = between_tiles(x, tile, flow.shape[1])
    qy = np.empty(width, f4)
    qx = np.empty(width, f4)
    for py in range(first, last):
        row_positions(y[py], flow, row_of[py], row_share[py], segments, of_tile, share, x, qy, qx)
        trust_row = trust[py >> 1]
        for px in range(width):
            cy = py + 2 * int(math.floor(f4(0.5) * (qy[px] - f4(py)) + f4(0.5)))
            cx = px + 2 * int(math.floor(f4(0.5) * (qx[px] - f4(px)) + f4(0.5)))
            if cy < 0 or cx < 0 or cy >= height or cx >= width:
                continue
            dy = f4(cy) - qy[px]
            dx = f4(cx) - qx[px]
            w = trust_row[px >> 1] * exp_negative(f4(-0.5) * precision * (dy * dy + dx * dx))
            num[py, px] += w * mosaic[np.uint64(cy), np.uint64(cx)]
            den[py, px] += w
