"""`naive` in one pass over each row, since a pass over 48 MP costs as much as its arithmetic.

The power 1/2.4 of the encoding is a polynomial in the eighth root, which is three square roots and vectorises.
"""

import numpy as np

from burstsr.core.jit import compiled, inlined
from burstsr.core.srgb import GAIN, LINEAR_BELOW, LUMA_709, OFFSET, SLOPE
from burstsr.finish.colour import COLOURED, PALE, PIVOT, SATURATION, SATURATION_NEAR

f4 = np.float32
_ZERO, _ONE, _TWO, _THREE = f4(0), f4(1), f4(2), f4(3)
_NEAR, _NEAR_SLOPE = f4(SATURATION_NEAR), f4(1 / (SATURATION - SATURATION_NEAR))
_COLOURED, _PALE_SLOPE = f4(COLOURED), f4(1 / (PALE - COLOURED))
_PIVOT = f4(PIVOT)
_R, _G, _B = np.uint64(0), np.uint64(1), np.uint64(2)
_RED, _GREEN, _BLUE = LUMA_709
_LINEAR_BELOW, _LINEAR, _GAIN, _OFFSET = f4(LINEAR_BELOW), f4(SLOPE), f4(GAIN), f4(OFFSET)
# t^(8/2.4) on 0.0031308^(1/8) .. 1, interpolated at Chebyshev nodes; error 1e-8
_P0, _P1, _P2, _P3 = f4(-0.00136148), f4(0.01665142), f4(-0.10281367), f4(0.76551367)
_P4, _P5, _P6 = f4(0.39650222), f4(-0.0867135), f4(0.01222135)


@inlined
def _unit(x):
    """Clip x to 0 .. 1 in a form that vectorises."""
    x = x if x > _ZERO else _ZERO
    return x if x < _ONE else _ONE


@inlined
def _smooth_step(t):
    t = _unit(t)
    return t * t * (_THREE - _TWO * t)


@inlined
def _encoded(x, contrast):
    """Encode a linear value as sRGB, then apply contrast."""
    x = _unit(x)
    t = np.sqrt(np.sqrt(np.sqrt(x)))
    power = _P0 + t * (_P1 + t * (_P2 + t * (_P3 + t * (_P4 + t * (_P5 + t * _P6)))))
    curved = _unit(_GAIN * power - _OFFSET)
    v = _LINEAR * x if x <= _LINEAR_BELOW else curved
    return v + contrast * v * (_ONE - v) * (v - _PIVOT)


@compiled
def encode_rows(first, last, rgb, gains, matrix, contrast, encoded, luma) -> None:
    """Convert rows of (H, W, 3) linear camera RGB to `encoded` (H, W, 3) sRGB in 0 .. 1 and its `luma` (H, W).

    gains (3,): white balance. matrix (3, 3): from balanced camera RGB to linear sRGB, times the exposure gain. contrast: CONTRAST times the strength.
    """
    width = np.uint64(rgb.shape[1])
    planes = np.empty((3, rgb.shape[1]), np.float32)
    gain_r, gain_g, gain_b = gains[0], gains[1], gains[2]
    m00, m01, m02 = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    m10, m11, m12 = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    m20, m21, m22 = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    for y in range(np.uint64(first), np.uint64(last)):
        for x in range(width):
            for c in range(np.uint64(3)):
                planes[c, x] = rgb[y, x, c]
        for x in range(width):
            raw_r, raw_g, raw_b = planes[_R, x], planes[_G, x], planes[_B, x]
            r, g, b = raw_r * gain_r, raw_g * gain_g, raw_b * gain_b
            r = r if r < _ONE else _ONE
            g = g if g < _ONE else _ONE
            b = b if b < _ONE else _ONE
            highest = r if r > g else g
            highest = b if b > highest else highest
            lowest = r if r < g else g
            lowest = b if b < lowest else lowest
            peak = raw_r if raw_r > raw_g else raw_g
            peak = raw_b if raw_b > peak else peak
            white = _smooth_step((peak - _NEAR) * _NEAR_SLOPE) * _smooth_step((lowest - _COLOURED) * _PALE_SLOPE)
            r, g, b = r + white * (highest - r), g + white * (highest - g), b + white * (highest - b)
            red = _encoded(m00 * r + m01 * g + m02 * b, contrast)
            green = _encoded(m10 * r + m11 * g + m12 * b, contrast)
            blue = _encoded(m20 * r + m21 * g + m22 * b, contrast)
            planes[_R, x], planes[_G, x], planes[_B, x] = red, green, blue
            luma[y, x] = _RED * red + _GREEN * green + _BLUE * blue
        for x in range(width):
            for c in range(np.uint64(3)):
                encoded[y, x, c] = planes[c, x]


@compiled
def sharpen_rows(first, last, luma, blurred, strength, encoded) -> None:
    """Sharpen rows of `encoded` (H, W, 3) in place: add the difference of `luma` and its blur, clipped to 0 .. 1."""
    width = encoded.shape[1]
    for y in range(np.uint64(first), np.uint64(last)):
        for x in range(np.uint64(width)):
            detail = strength * (luma[y, x] - blurred[y, x])
            for c in range(np.uint64(3)):
                encoded[y, x, c] = min(max(encoded[y, x, c] + detail, _ZERO), _ONE)
