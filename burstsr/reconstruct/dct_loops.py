"""Eight-point discrete cosine transform."""

import math

import numpy as np

from burstsr.core.jit import inlined

f4 = np.float32
SIDE = 8
C1, C2, C3, C4, C5, C6, C7 = (f4(0.5 * math.cos(k * math.pi / 16)) for k in range(1, 8))


@inlined
def dct8(a0, a1, a2, a3, a4, a5, a6, a7):
    """Return the orthonormal DCT-II of eight values, from their even and odd parts."""
    e0 = a0 + a7
    e1 = a1 + a6
    e2 = a2 + a5
    e3 = a3 + a4
    o0 = a0 - a7
    o1 = a1 - a6
    o2 = a2 - a5
    o3 = a3 - a4
    p = e0 + e3
    q = e1 + e2
    u = e0 - e3
    v = e1 - e2
    return (
        C4 * (p + q),
        C1 * o0 + C3 * o1 + C5 * o2 + C7 * o3,
        C2 * u + C6 * v,
        C3 * o0 - C7 * o1 - C1 * o2 - C5 * o3,
        C4 * (p - q),
        C5 * o0 - C1 * o1 + C7 * o2 + C3 * o3,
        C6 * u - C2 * v,
        C7 * o0 - C5 * o1 + C3 * o2 - C1 * o3,
    )


@inlined
def idct8(b0, b1, b2, b3, b4, b5, b6, b7):
    """Return the inverse of `dct8`."""
    p = C4 * (b0 + b4)
    q = C4 * (b0 - b4)
    u = C2 * b2 + C6 * b6
    v = C6 * b2 - C2 * b6
    e0 = p + u
    e3 = p - u
    e1 = q + v
    e2 = q - v
    o0 = C1 * b1 + C3 * b3 + C5 * b5 + C7 * b7
    o1 = C3 * b1 - C7 * b3 - C1 * b5 - C5 * b7
    o2 = C5 * b1 - C1 * b3 + C7 * b5 + C3 * b7
    o3 = C7 * b1 - C5 * b3 + C3 * b5 - C1 * b7
    return e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0
