"""Loops of the dense refinement: the information of each small cell, and the regularised field. Same arithmetic as `naive_dense.py`."""

import math

import numpy as np

from burstsr.align.loops import FAR
from burstsr.core.jit import compiled

f4 = np.float32


@compiled
def cell_equations(first, last, sums, field, centre, alias, gradient, variance, significant, data, target):
    """Compute the information I (h, w, 3), as yy, yx, xx, about each cell's deviation m from `centre`, and I m (h, w, 2), for `smooth`.

    m = field + H^-1 sum w g e - centre, the step at most a pixel. For the eigenvalues of I see `fisher.without_noise`; alias (h, w): error floor, px.
    """
    for y in range(first, last):
        for x in range(sums.shape[1]):
            s = sums[y, x]
            data[y, x, 0] = data[y, x, 1] = data[y, x, 2] = 0
            target[y, x, 0] = target[y, x, 1] = 0
            if s[7] < f4(1):
                continue
            middle = f4(0.5) * (s[0] + s[2])
            difference = f4(0.5) * (s[0] - s[2])
            radius = math.sqrt(difference * difference + s[1] * s[1])
            noise = s[5] * f4(gradient)
            uncertainty = f4(significant) * noise * math.sqrt(f4(1) / s[7])
            # cosine and sine of twice the angle of the larger eigenvalue's direction from +y
            c2 = difference / radius if radius > 0 else f4(1)
            s2 = s[1] / radius if radius > 0 else f4(0)
            step_y = f4(0)
            step_x = f4(0)
            yy = f4(0)
            yx = f4(0)
            xx = f4(0)
            for k in range(2):
                sign = f4(1) if k == 0 else f4(-1)
                structure = middle + sign * radius - noise
                certain = max(structure - uncertainty, f4(0))
                information = certain * certain / ((certain + noise + f4(1e-9)) * f4(2 * variance))
                information /= f4(1) + information * alias[y, x] * alias[y, x]
                solvable = max(structure, f4(0.25) * noise + f4(1e-9))
                py = f4(0.5) * (f4(1) + sign * c2)  # projector onto the eigenvector
                pm = f4(0.5) * sign * s2
                px = f4(0.5) * (f4(1) - sign * c2)
                step_y += (py * s[3] + pm * s[4]) / solvable
                step_x += (pm * s[3] + px * s[4]) / solvable
                yy += information * py
                yx += information * pm
                xx += information * px
            size = math.sqrt(step_y * step_y + step_x * step_x)
            if not size < FAR:  # NaN samples
                continue
            if size > f4(1):
                step_y /= size
                step_x /= size
            m = field[y, x, 0] + step_y - centre[y, x, 0]
            n = field[y, x, 1] + step_x - centre[y, x, 1]
            data[y, x, 0] = yy
            data[y, x, 1] = yx
            data[y, x, 2] = xx
            target[y, x, 0] = yy * m + yx * n
            target[y, x, 1] = yx * m + xx * n


@compiled
def smooth(sweeps, data, target, damping, scale, out):
    """Run Gauss-Seidel sweeps for the d that minimises  sum_t (d - m)^T I (d - m) + b |d|^2 + sum_<ts> |d_t - d_s|^2 / (scale^2 + |o_t - o_s|^2).

    data (h, w, 3): I's yy, yx, xx. target (h, w, 2): I m. damping: b. out (h, w, 2): the initial field o; overwritten with d.
    """
    height, width = out.shape[:2]
    down = np.zeros((height + 1, width), f4)  # weight between (y - 1, x) and (y, x)
    right = np.zeros((height, width + 1), f4)
    scale_squared = f4(scale) * f4(scale)
    for y in range(1, height):
        for x in range(width):
            a = out[y, x, 0] - out[y - 1, x, 0]
            b = out[y, x, 1] - out[y - 1, x, 1]
            down[y, x] = f4(1) / (scale_squared + a * a + b * b)
    for y in range(height):
        for x in range(1, width):
            a = out[y, x, 0] - out[y, x - 1, 0]
            b = out[y, x, 1] - out[y, x - 1, 1]
            right[y, x] = f4(1) / (scale_squared + a * a + b * b)
    for sweep in range(sweeps):
        for k in range(height):
            y = k if sweep % 2 == 0 else height - 1 - k
            for j in range(width):
                x = j if sweep % 2 == 0 else width - 1 - j
                p = target[y, x, 0]
                q = target[y, x, 1]
                total = f4(damping)
                if y > 0:
                    w = down[y, x]
                    p += w * out[y - 1, x, 0]
                    q += w * out[y - 1, x, 1]
                    total += w
                if y + 1 < height:
                    w = down[y + 1, x]
                    p += w * out[y + 1, x, 0]
                    q += w * out[y + 1, x, 1]
                    total += w
                if x > 0:
                    w = right[y, x]
                    p += w * out[y, x - 1, 0]
                    q += w * out[y, x - 1, 1]
                    total += w
                if x + 1 < width:
                    w = right[y, x + 1]
                    p += w * out[y, x + 1, 0]
                    q += w * out[y, x + 1, 1]
                    total += w
                a = data[y, x, 0] + total
                b = data[y, x, 1]
                c = data[y, x, 2] + total
                determinant = a * c - b * b
                out[y, x, 0] = (c * p - b * q) / determinant
                out[y, x, 1] = (a * q - b * p) / determinant
