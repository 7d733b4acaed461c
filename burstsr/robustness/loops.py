"""Robustness's loop. Same arithmetic as `paper.py`."""

import math

import numpy as np

from burstsr.ground.compiled import compiled

f4 = np.float32
MOST = f4(10)
UNSEEN = f4(-1)


@compiled
def mismatch_rows(first, last, ref_mean, ref_variance, mean, flow, tile, curve_variance, curve_difference, out):
    """Mismatch per quad: d^2 / sigma^2 with d and sigma corrected for noise, at most MOST; UNSEEN where the frame does not show the quad.

    ref_mean, ref_variance, mean: (h, w, 3) 3 x 3 means and variances of quads. flow: (nty, ntx, 2) raw pixels. Curves: (3, n) over level 0 .. 1.
    """
    height, width = ref_mean.shape[:2]
    nty, ntx = flow.shape[:2]
    steps = curve_variance.shape[1] - 1
    for y in range(first, last):
        ty = (f4(2) * f4(y) + f4(1)) / f4(tile) - f4(0.5)
        i = min(max(int(math.floor(ty)), 0), max(nty - 2, 0))
        v = ty - f4(i) if nty > 1 else f4(0)
        i1 = min(i + 1, nty - 1)
        for x in range(width):
            tx = (f4(2) * f4(x) + f4(1)) / f4(tile) - f4(0.5)
            j = min(max(int(math.floor(tx)), 0), max(ntx - 2, 0))
            u = tx - f4(j) if ntx > 1 else f4(0)
            j1 = min(j + 1, ntx - 1)
            fy = (f4(1) - v) * ((f4(1) - u) * flow[i, j, 0] + u * flow[i, j1, 0]) + v * ((f4(1) - u) * flow[i1, j, 0] + u * flow[i1, j1, 0])
            fx = (f4(1) - v) * ((f4(1) - u) * flow[i, j, 1] + u * flow[i, j1, 1]) + v * ((f4(1) - u) * flow[i1, j, 1] + u * flow[i1, j1, 1])
            qy = f4(y) + f4(0.5) * fy
            qx = f4(x) + f4(0.5) * fx
            if not (qy > f4(-0.5) and qx > f4(-0.5) and qy < f4(height) - f4(0.5) and qx < f4(width) - f4(0.5)):
                out[y, x] = UNSEEN
                continue
            qy = min(max(qy, f4(0)), f4(height - 1))
            qx = min(max(qx, f4(0)), f4(width - 1))
            a = min(int(qy), max(height - 2, 0))
            b = min(int(qx), max(width - 2, 0))
            a1 = min(a + 1, height - 1)
            b1 = min(b + 1, width - 1)
            p = qy - f4(a)
            q = qx - f4(b)
            d2 = f4(0)
            s2 = f4(0)
            for c in range(3):
                m = (f4(1) - p) * ((f4(1) - q) * mean[a, b, c] + q * mean[a, b1, c]) + p * ((f4(1) - q) * mean[a1, b, c] + q * mean[a1, b1, c])
                d = ref_mean[y, x, c] - m
                k = min(max(int(ref_mean[y, x, c] * f4(steps) + f4(0.5)), 0), steps)
                noise_d = curve_difference[c, k]
                dd = d * d
                shrink = dd / (dd + noise_d + f4(1e-20))
                d2 += dd * shrink * shrink
                s2 += max(ref_variance[y, x, c], curve_variance[c, k])
            out[y, x] = min(d2 / (s2 + f4(1e-20)), MOST)
