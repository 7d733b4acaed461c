"""Loops of the merge kernels. The same arithmetic as `naive.py`."""

import math

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32
u8 = np.uint64
STRIP = 8  # rows whose tensors stay in cache


@compiled
def tensor_rows(first, last, cells, base, out):
    """Compute structure tensors of rows first .. last, in out[y - base]: means of (gy gy, gy gx, gx gx) over the four corners of each cell.

    cells (h, w); gradients are forward differences over 2 x 2 cells, borders repeated.
    """
    height, width = cells.shape
    half, quarter = f4(0.5), f4(0.25)
    rows = np.empty((2, width + 2), f4)  # a pair of rows: their sum and their difference, ends repeated
    corners = np.empty((6, width + 1), f4)  # products at the corners above (0 to 2) and below (3 to 5)
    one = u8(1)
    for y in range(first, last + 1):  # the row of corners between rows y - 1 and y
        a = u8(max(y - 1, 0))
        b = u8(min(y, height - 1))
        for x in range(u8(width)):
            rows[0, x + one] = cells[a, x] + cells[b, x]
            rows[1, x + one] = cells[b, x] - cells[a, x]
        for k in range(2):
            rows[k, 0] = rows[k, 1]
            rows[k, width + 1] = rows[k, width]
        above = u8(0) if (y - first) % 2 == 0 else u8(3)
        below = u8(3) - above
        for x in range(u8(width + 1)):
            gy = half * (rows[1, x] + rows[1, x + one])
            gx = half * (rows[0, x + one] - rows[0, x])
            corners[below, x] = gy * gy
            corners[below + one, x] = gy * gx
            corners[below + u8(2), x] = gx * gx
        if y > first:
            o = out[y - 1 - base]
            for x in range(u8(width)):
                for k in range(u8(3)):
                    o[x, k] = quarter * ((corners[k, x] + corners[k, x + one]) + (corners[u8(3) + k, x] + corners[u8(3) + k, x + one]))


@compiled
def inverse_covariances(first, last, tensor, k_detail, k_denoise, d_threshold, d_transition, k_stretch, k_shrink, out):
    """Compute the inverse kernel covariance (yy, yx, xx) in 1/px^2 per cell from structure tensors (yy, yx, xx)."""
    for y in range(first, last):
        for x in range(tensor.shape[1]):
            tyy = tensor[y, x, 0]
            tyx = tensor[y, x, 1]
            txx = tensor[y, x, 2]
            half = f4(0.5) * (tyy + txx)
            root = math.sqrt(f4(0.25) * (tyy - txx) * (tyy - txx) + tyx * tyx)
            l1 = half + root
            l2 = max(half - root, f4(0))
            # l1's eigenvector points across the edge
            vy = tyx
            vx = l1 - tyy
            if abs(tyy - l2) > abs(txx - l2):
                vy = l1 - txx
                vx = tyx
            size = math.sqrt(vy * vy + vx * vx)
            if size > f4(1e-12):
                vy /= size
                vx /= size
            else:
                vy = f4(1)
                vx = f4(0)
            anisotropy = f4(1) + math.sqrt((l1 - l2) / (l1 + l2 + f4(1e-12)))  # A
            flat = min(max(f4(1) - math.sqrt(l1) / d_transition + d_threshold, f4(0)), f4(1))  # D
            edge = min(max((anisotropy - f4(1.85)) * f4(10), f4(0)), f4(1))
            along = f4(1) + edge * (k_stretch - f4(1))
            across = f4(1) + edge * (f4(1) / k_shrink - f4(1))
            along = k_detail * ((f4(1) - flat) * along + flat * k_denoise)
            across = k_detail * ((f4(1) - flat) * across + flat * k_denoise)
            p = f4(1) / (across * across)
            q = f4(1) / (along * along)
            out[y, x, 0] = p * vy * vy + q * vx * vx
            out[y, x, 1] = (p - q) * vy * vx
            out[y, x, 2] = p * vx * vx + q * vy * vy


@compiled
def kernel_rows(first, last, cells, k_detail, k_denoise, d_threshold, d_transition, k_stretch, k_shrink, out):
    """Compute `inverse_covariances` from the structure tensors of `cells` (h, w), a few rows at a time."""
    tensor = np.empty((STRIP, cells.shape[1], 3), f4)
    for y in range(first, last, STRIP):
        end = min(y + STRIP, last)
        tensor_rows(y, end, cells, y, tensor)
        inverse_covariances(0, end - y, tensor, k_detail, k_denoise, d_threshold, d_transition, k_stretch, k_shrink, out[y:end])
