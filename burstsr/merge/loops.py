"""The merge's loop. Same arithmetic as `paper.py`, one output row at a time.

num_c(o) += sum over the 3 x 3 samples around q = p + flow(p) of  R(p) exp(-1/2 d^T Omega^-1 d) x,   den_c likewise without x   (Wronski 2019, eq. 1)

A row goes through four passes over short buffers, so that the arithmetic (positions, nine exponentials) runs in vector registers for any scale.
"""

import math

import numpy as np

from burstsr.ground.compiled import compiled, inlined

f4 = np.float32
BORDER = 2  # mirrored samples around the mosaic


@inlined
def exp_negative(x):
    """exp(x) for x <= 0, cut off at exp(-24); relative error below 2e-4 down to exp(-8), 2 % at the end. A polynomial, since libm's exp does not vectorise.

    exp(x / 32) by degree 5, squared five times.
    """
    x = max(x, f4(-24.0)) * f4(1.0 / 32.0)
    p = f4(1.0 / 120.0) * x + f4(1.0 / 24.0)
    p = p * x + f4(1.0 / 6.0)
    p = p * x + f4(0.5)
    p = p * x + f4(1.0)
    p = p * x + f4(1.0)
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@inlined
def gaussian(a, b, c, dy, dx):
    """exp(-1/2 d^T Omega^-1 d), with Omega^-1 = [[a, b], [b, c]]."""
    return exp_negative(f4(-0.5) * (a * dy * dy + f4(2) * b * dy * dx + c * dx * dx))


@inlined
def flow_row(y, width, scale, flow, tile, qy, qx):
    """Positions q = p + flow(p) in the frame of output row at raw row `y`; the flow is bilinear between tile centres."""
    nty, ntx = flow.shape[:2]
    ty = (y + f4(0.5)) / f4(tile) - f4(0.5)
    i = min(max(int(math.floor(ty)), 0), max(nty - 2, 0))
    i1 = min(i + 1, nty - 1)
    v = ty - f4(i) if nty > 1 else f4(0)
    inverse = f4(1) / f4(scale)
    for ox in range(width):
        x = (f4(ox) + f4(0.5)) * inverse - f4(0.5)
        tx = (x + f4(0.5)) / f4(tile) - f4(0.5)
        j = min(max(int(math.floor(tx)), 0), max(ntx - 2, 0))
        j1 = min(j + 1, ntx - 1)
        u = tx - f4(j) if ntx > 1 else f4(0)
        w00 = (f4(1) - v) * (f4(1) - u)
        w01 = (f4(1) - v) * u
        w10 = v * (f4(1) - u)
        w11 = v * u
        qy[ox] = y + w00 * flow[i, j, 0] + w01 * flow[i, j1, 0] + w10 * flow[i1, j, 0] + w11 * flow[i1, j1, 0]
        qx[ox] = x + w00 * flow[i, j, 1] + w01 * flow[i, j1, 1] + w10 * flow[i1, j, 1] + w11 * flow[i1, j1, 1]


@compiled
def accumulate(first, last, mosaic, cfa, scale, flow, tile, kernel, trust, num, den):
    """Add one frame to output rows first .. last of num and den, (H', W', 3) float32.

    mosaic: (H + 4, W + 4) float32 samples with mirrored borders. cfa: (2, 2) colours. flow: (nty, ntx, 2). kernel: (H/2, W/2, 3). trust: (H/2, W/2).
    """
    width = num.shape[1]
    height_raw = mosaic.shape[0] - 2 * BORDER
    width_raw = mosaic.shape[1] - 2 * BORDER
    qy = np.empty(width, f4)
    qx = np.empty(width, f4)
    ka = np.empty(width, f4)
    kb = np.empty(width, f4)
    kc = np.empty(width, f4)
    kr = np.empty(width, f4)
    cy = np.empty(width, np.int32)
    cx = np.empty(width, np.int32)
    taps = np.empty((9, width), f4)
    sums = np.empty((8, width), f4)
    quad = np.empty(width, np.int32)
    inverse = f4(1) / f4(scale)
    for ox in range(width):
        quad[ox] = min(max(int((f4(ox) + f4(0.5)) * inverse * f4(0.5)), 0), kernel.shape[1] - 1)
    for oy in range(first, last):
        y = (f4(oy) + f4(0.5)) * inverse - f4(0.5)
        ky = min(max(int((f4(oy) + f4(0.5)) * inverse * f4(0.5)), 0), kernel.shape[0] - 1)
        flow_row(y, width, scale, flow, tile, qy, qx)
        for ox in range(width):
            k = quad[ox]
            ka[ox] = kernel[ky, k, 0]
            kb[ox] = kernel[ky, k, 1]
            kc[ox] = kernel[ky, k, 2]
            inside = qy[ox] >= f4(-0.5) and qx[ox] >= f4(-0.5) and qy[ox] <= f4(height_raw) - f4(0.5) and qx[ox] <= f4(width_raw) - f4(0.5)
            kr[ox] = trust[ky, k] if inside else f4(0)
            py = min(max(int(math.floor(qy[ox] + f4(0.5))), 0), height_raw - 1)
            px = min(max(int(math.floor(qx[ox] + f4(0.5))), 0), width_raw - 1)
            cy[ox] = py + BORDER
            cx[ox] = px + BORDER
            qy[ox] = f4(py) - qy[ox]  # from here on: nearest sample less position
            qx[ox] = f4(px) - qx[ox]
        for ox in range(width):
            i = cy[ox]
            j = cx[ox]
            taps[0, ox] = mosaic[i, j]
            taps[1, ox] = mosaic[i - 1, j - 1]
            taps[2, ox] = mosaic[i - 1, j + 1]
            taps[3, ox] = mosaic[i + 1, j - 1]
            taps[4, ox] = mosaic[i + 1, j + 1]
            taps[5, ox] = mosaic[i, j - 1]
            taps[6, ox] = mosaic[i, j + 1]
            taps[7, ox] = mosaic[i - 1, j]
            taps[8, ox] = mosaic[i + 1, j]
        one = f4(1)
        for ox in range(width):
            a = ka[ox]
            b = kb[ox]
            c = kc[ox]
            r = kr[ox]
            dy = qy[ox]
            dx = qx[ox]
            w = r * gaussian(a, b, c, dy, dx)
            sums[0, ox] = w * taps[0, ox]
            sums[1, ox] = w
            w1 = r * gaussian(a, b, c, dy - one, dx - one)
            w2 = r * gaussian(a, b, c, dy - one, dx + one)
            w3 = r * gaussian(a, b, c, dy + one, dx - one)
            w4 = r * gaussian(a, b, c, dy + one, dx + one)
            sums[2, ox] = w1 * taps[1, ox] + w2 * taps[2, ox] + w3 * taps[3, ox] + w4 * taps[4, ox]
            sums[3, ox] = w1 + w2 + w3 + w4
            w1 = r * gaussian(a, b, c, dy, dx - one)
            w2 = r * gaussian(a, b, c, dy, dx + one)
            sums[4, ox] = w1 * taps[5, ox] + w2 * taps[6, ox]
            sums[5, ox] = w1 + w2
            w3 = r * gaussian(a, b, c, dy - one, dx)
            w4 = r * gaussian(a, b, c, dy + one, dx)
            sums[6, ox] = w3 * taps[7, ox] + w4 * taps[8, ox]
            sums[7, ox] = w3 + w4
        for ox in range(width):
            if kr[ox] > f4(0):
                i = cy[ox] & 1
                j = cx[ox] & 1
                c = cfa[i, j]
                num[oy, ox, c] += sums[0, ox]
                den[oy, ox, c] += sums[1, ox]
                c = cfa[1 - i, 1 - j]
                num[oy, ox, c] += sums[2, ox]
                den[oy, ox, c] += sums[3, ox]
                c = cfa[i, 1 - j]
                num[oy, ox, c] += sums[4, ox]
                den[oy, ox, c] += sums[5, ox]
                c = cfa[1 - i, j]
                num[oy, ox, c] += sums[6, ox]
                den[oy, ox, c] += sums[7, ox]


@compiled
def normalise(first, last, num, den):
    """num <- num / den."""
    for y in range(first, last):
        for x in range(num.shape[1]):
            for c in range(3):
                num[y, x, c] /= den[y, x, c]


@inlined
def box_mean(picture, y, x, side, channel):
    """Mean of one channel over the square [y, y + side] x [x, x + side] in edge coordinates (pixel i covers i .. i + 1), borders continued."""
    height = picture.shape[0]
    width = picture.shape[1]
    y0 = int(math.floor(y))
    x0 = int(math.floor(x))
    y1 = int(math.ceil(y + side))
    x1 = int(math.ceil(x + side))
    total = f4(0)
    for i in range(y0, y1):
        row = f4(0)
        k = min(max(i, 0), height - 1)
        for j in range(x0, x1):
            share = min(f4(j + 1), x + side) - max(f4(j), x)
            row += share * picture[k, min(max(j, 0), width - 1), channel]
        total += row * (min(f4(i + 1), y + side) - max(f4(i), y))
    return total / (side * side)


@compiled
def residuals(first, last, mosaic, cfa, picture, scale, flow, tile, out):
    """What a picture leaves unexplained of a frame: out(q) = x(q) - mean of the picture over the pixel's square at p, where p + flow(p) = q.

    Rows first .. last of the raw frame; mosaic and out: (H, W). A saturated sample says no more than that the light is at least as strong.
    """
    nty, ntx = flow.shape[:2]
    width = mosaic.shape[1]
    s = f4(scale)
    for qy in range(first, last):
        for qx in range(width):
            py = f4(qy)
            px = f4(qx)
            for _ in range(3):
                ty = (py + f4(0.5)) / f4(tile) - f4(0.5)
                tx = (px + f4(0.5)) / f4(tile) - f4(0.5)
                i = min(max(int(math.floor(ty)), 0), max(nty - 2, 0))
                j = min(max(int(math.floor(tx)), 0), max(ntx - 2, 0))
                i1 = min(i + 1, nty - 1)
                j1 = min(j + 1, ntx - 1)
                v = min(max(ty - f4(i), f4(-1)), f4(2)) if nty > 1 else f4(0)
                u = min(max(tx - f4(j), f4(-1)), f4(2)) if ntx > 1 else f4(0)
                w00 = (f4(1) - v) * (f4(1) - u)
                w01 = (f4(1) - v) * u
                w10 = v * (f4(1) - u)
                w11 = v * u
                py = f4(qy) - (w00 * flow[i, j, 0] + w01 * flow[i, j1, 0] + w10 * flow[i1, j, 0] + w11 * flow[i1, j1, 0])
                px = f4(qx) - (w00 * flow[i, j, 1] + w01 * flow[i, j1, 1] + w10 * flow[i1, j, 1] + w11 * flow[i1, j1, 1])
            left = mosaic[qy, qx] - box_mean(picture, py * s, px * s, s, cfa[qy & 1, qx & 1])
            out[qy, qx] = f4(0) if mosaic[qy, qx] >= f4(1) and left < f4(0) else left
