"""Loops of alignment over tiles: affine global motion and regularisation of the motion field. Same arithmetic as `naive.py`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.jit import compiled

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@compiled
def affine_sums(first: int, last: int, position: Array, flow: Array, information: Array, weight: Array, normal: Array, right: Array) -> None:
    """Add tiles first .. last to the normal equations of an affine motion: normal (3, 2, 3, 2), right (3, 2), all float64.

    position, flow (n, 2); information (n, 2, 2); weight (n,). Unknowns (term of [1, y, x], axis).
    """
    sums = np.zeros((6, 3))
    rights = np.zeros((3, 2))
    for t in range(first, last):
        y = position[t, 0]
        x = position[t, 1]
        a = weight[t] * information[t, 0, 0]
        b = weight[t] * information[t, 0, 1]
        c = weight[t] * information[t, 1, 1]
        p = a * flow[t, 0] + b * flow[t, 1]
        q = b * flow[t, 0] + c * flow[t, 1]
        terms = (1.0, y, x, y * y, y * x, x * x)
        for k in range(6):
            sums[k, 0] += terms[k] * a
            sums[k, 1] += terms[k] * b
            sums[k, 2] += terms[k] * c
        for k in range(3):
            rights[k, 0] += terms[k] * p
            rights[k, 1] += terms[k] * q
    for i in range(3):
        for j in range(3):
            low = min(i, j)
            high = max(i, j)
            k = high if low == 0 else low + high + 1
            normal[i, 0, j, 0] += sums[k, 0]
            normal[i, 0, j, 1] += sums[k, 1]
            normal[i, 1, j, 0] += sums[k, 1]
            normal[i, 1, j, 1] += sums[k, 2]
        right[i, 0] += rights[i, 0]
        right[i, 1] += rights[i, 1]


@compiled
def affine_misfits(first: int, last: int, position: Array, flow: Array, information: Array, coefficients: Array, out: Array) -> None:
    """Compute out (n,): r^T I r, where r is the flow minus the affine motion with coefficients (3, 2) for [1, y, x]."""
    for t in range(first, last):
        y = position[t, 0]
        x = position[t, 1]
        r = flow[t, 0] - coefficients[0, 0] - coefficients[1, 0] * y - coefficients[2, 0] * x
        s = flow[t, 1] - coefficients[0, 1] - coefficients[1, 1] * y - coefficients[2, 1] * x
        out[t] = information[t, 0, 0] * r * r + 2.0 * information[t, 0, 1] * r * s + information[t, 1, 1] * s * s


@compiled
def weighted_median(values: Array, weights: Array) -> float:
    """Return the smallest value (n,) at which the cumulative weight reaches half of the total; 0 if the total is 0. By repeated partition (quickselect)."""
    total = 0.0
    for i in range(weights.shape[0]):
        total += weights[i]
    if not total > 0.0:
        return 0.0
    wanted = 0.5 * total
    v = values.copy()
    w = weights.copy()
    first = 0
    last = v.shape[0]
    while last - first > 1:
        a = v[first]
        b = v[(first + last) // 2]
        c = v[last - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        below = 0.0
        equal = 0.0
        low = first
        high = last
        i = first
        while i < high:  # first .. low are less, low .. i equal, high .. last greater
            x = v[i]
            if x < pivot:
                below += w[i]
                v[i], v[low] = v[low], x
                w[i], w[low] = w[low], w[i]
                low += 1
                i += 1
            elif x > pivot:
                high -= 1
                v[i], v[high] = v[high], x
                w[i], w[high] = w[high], w[i]
            else:
                equal += w[i]
                i += 1
        if below >= wanted and low > first:
            last = low
        elif below + equal >= wanted or high == last:
            return float(pivot)
        else:
            wanted -= below + equal
            first = high
    return float(v[first])


@compiled
def relax(base: Floats, coupling: Floats, sweeps: int, field: Floats) -> None:
    """Run Jacobi sweeps d <- base + P (sum of d over the four neighbours), in place.

    field (2, h + 2, w + 2) float32 with a border of zeros: (dy, dx). base (2, h, w); coupling (3, h, w): P's yy, yx, xx.
    """
    height, width = base.shape[1:]
    other = np.zeros_like(field)
    sum_y = np.empty(width, np.float32)
    sum_x = np.empty(width, np.float32)
    for sweep in range(sweeps):
        a = field if sweep % 2 == 0 else other
        b = other if sweep % 2 == 0 else field
        for y in range(height):
            up_y, up_x = a[0, y, 1:], a[1, y, 1:]
            left_y, left_x = a[0, y + 1], a[1, y + 1]
            right_y, right_x = a[0, y + 1, 2:], a[1, y + 1, 2:]
            down_y, down_x = a[0, y + 2, 1:], a[1, y + 2, 1:]
            base_y, base_x = base[0, y], base[1, y]
            p, q, r = coupling[0, y], coupling[1, y], coupling[2, y]
            out_y, out_x = b[0, y + 1, 1:], b[1, y + 1, 1:]
            for x in range(width):
                sum_y[x] = (up_y[x] + down_y[x]) + (left_y[x] + right_y[x])
            for x in range(width):
                sum_x[x] = (up_x[x] + down_x[x]) + (left_x[x] + right_x[x])
            for x in range(width):
                out_y[x] = base_y[x] + p[x] * sum_y[x] + q[x] * sum_x[x]
            for x in range(width):
                out_x[x] = base_x[x] + q[x] * sum_y[x] + r[x] * sum_x[x]
    if sweeps % 2:
        for y in range(height):  # not field[:] = other, whose checks of shapes take five times as long to compile as this function
            for x in range(width):
                field[0, y + 1, x + 1] = other[0, y + 1, x + 1]
                field[1, y + 1, x + 1] = other[1, y + 1, x + 1]
