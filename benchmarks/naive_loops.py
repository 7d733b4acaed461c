"""The merge as one would first write it: a loop over output pixels, frames and 3 x 3 samples. What `burstsr benchmark merge` compares with.

num_c(o) = sum over frames and the 3 x 3 samples around q = p + flow(p) of  R(p) exp(-1/2 d^T Omega^-1 d) x,   den_c likewise without x   (Wronski 2019, eq. 1)

Shares no code with the merge, on purpose. Places are computed in double precision, weights in single: so it is a third faster than all in double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_F = TypeVar("_F", bound=Callable[..., Any])
f4 = np.float32
_LEAST = f4(-24.0)  # exponents are cut off here, as the product's are


def _parallel(function: _F) -> _F:
    return cast(_F, numba.njit(parallel=True, fastmath=True, cache=True)(function))


def _inlined(function: _F) -> _F:
    return cast(_F, numba.njit(inline="always", fastmath=True)(function))


@_inlined
def displaced(flow: Floats, tile: int, y: float, x: float) -> tuple[float, float]:
    """q = p + flow(p) at raw p = (y, x): the flow (nty, ntx, 2) is bilinear between tile centres and goes on linearly beyond the outermost."""
    ty = (y + 0.5) / tile - 0.5
    tx = (x + 0.5) / tile - 0.5
    i = min(max(math.floor(ty), 0), max(flow.shape[0] - 2, 0))
    j = min(max(math.floor(tx), 0), max(flow.shape[1] - 2, 0))
    i1 = min(i + 1, flow.shape[0] - 1)
    j1 = min(j + 1, flow.shape[1] - 1)
    v = ty - i
    u = tx - j
    qy = y + (1 - v) * ((1 - u) * flow[i, j, 0] + u * flow[i, j1, 0]) + v * ((1 - u) * flow[i1, j, 0] + u * flow[i1, j1, 0])
    qx = x + (1 - v) * ((1 - u) * flow[i, j, 1] + u * flow[i, j1, 1]) + v * ((1 - u) * flow[i1, j, 1] + u * flow[i1, j1, 1])
    return qy, qx


@_parallel
def direct(
    samples: Floats,
    cfa: NDArray[np.int64],
    flow: Floats,
    tile: int,
    kernel: Floats,
    robustness: Floats,
    scale: float,
    floor: float,
    image: Floats,
    weight: Floats,
) -> None:
    """Merge all frames into image and weight, (H', W', 3). A frame that does not show a place gives it nothing.

    samples: (N, H + 2, W + 2), one mirrored sample around the frames. cfa: (2, 2). flow: (N, nty, ntx, 2). kernel: (H/2, W/2, 3), Omega^-1 as (yy, yx, xx).
    robustness: (N, H/2, W/2). floor: weight of black that is added.
    """
    frames, height, width = samples.shape[0], samples.shape[1] - 2, samples.shape[2] - 2
    for oy in prange(image.shape[0]):
        y = (oy + 0.5) / scale - 0.5
        ky = min(int((y + 0.5) / 2), kernel.shape[0] - 1)
        for ox in range(image.shape[1]):
            x = (ox + 0.5) / scale - 0.5
            kx = min(int((x + 0.5) / 2), kernel.shape[1] - 1)
            a, b, c = kernel[ky, kx, 0], kernel[ky, kx, 1], kernel[ky, kx, 2]
            n0 = n1 = n2 = f4(0)
            d0 = d1 = d2 = f4(floor)
            for f in range(frames):
                qy, qx = displaced(flow[f], tile, y, x)
                if qy < -0.5 or qx < -0.5 or qy > height - 0.5 or qx > width - 0.5:
                    continue
                cy = min(math.floor(qy + 0.5), height - 1)
                cx = min(math.floor(qx + 0.5), width - 1)
                for i in range(cy - 1, cy + 2):
                    for j in range(cx - 1, cx + 2):
                        dy, dx = f4(i - qy), f4(j - qx)
                        exponent = f4(-0.5) * (a * dy * dy + f4(2) * b * dy * dx + c * dx * dx)
                        w = robustness[f, ky, kx] * math.exp(max(exponent, _LEAST))
                        value = samples[f, i + 1, j + 1]
                        channel = cfa[i & 1, j & 1]
                        if channel == 0:
                            n0 += w * value
                            d0 += w
                        elif channel == 1:
                            n1 += w * value
                            d1 += w
                        else:
                            n2 += w * value
                            d2 += w
            image[oy, ox, 0], image[oy, ox, 1], image[oy, ox, 2] = n0 / d0, n1 / d1, n2 / d2
            weight[oy, ox, 0], weight[oy, ox, 1], weight[oy, ox, 2] = d0 - f4(floor), d1 - f4(floor), d2 - f4(floor)


@_inlined
def from_whole(value: float) -> float:
    """Distance to the nearest whole number."""
    return abs(value - math.floor(value + 0.5))


@_parallel
def undecided(flow: Floats, tile: int, scale: float, margin: float, out: NDArray[np.bool_]) -> None:
    """Output pixels (H', W') at which, in some frame, which sample is nearest changes within `margin` raw pixels: there rounding decides.

    The border of a frame, half a pixel beyond its last sample, is such a place too, and so is one between two CFA cells of the reference.
    """
    for oy in prange(out.shape[0]):
        y = (oy + 0.5) / scale - 0.5
        for ox in range(out.shape[1]):
            x = (ox + 0.5) / scale - 0.5
            tie = from_whole((y + 0.5) / 2) < margin or from_whole((x + 0.5) / 2) < margin
            for f in range(flow.shape[0]):
                qy, qx = displaced(flow[f], tile, y, x)
                tie = tie or from_whole(qy + 0.5) < margin or from_whole(qx + 0.5) < margin
            out[oy, ox] = tie
