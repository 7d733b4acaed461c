"""Loop of the demosaicing of any pattern: predictions from the 7 x 7 samples around each pixel. Same sums as `naive.predict_pattern`."""

import numpy as np

from burstsr.core.jit import compiled

f4 = np.float32
u8 = np.uint64
SIDE = 7
_BLOCK = 64  # pixels of one phase whose sums stay in registers and cache


@compiled
def predict(planes, weights, out):
    """Compute out[v, y, x] = sum over the 7 x 7 samples around pixel (y, x) of weights[y % py, x % px, v] times the sample.

    planes: (h + 6, px, n) samples, those of column px k + p at [:, p, k], with at least two columns k beyond the last that are used. weights:
    (py, px, values, 49). out: (values, h, w).
    """
    values, height, width = out.shape
    period, n = planes.shape[1:]
    down = weights.shape[0]
    flat = planes.reshape(-1)
    sums = np.empty(_BLOCK, f4)
    starts = np.empty(SIDE, np.int64)
    for y in range(height):
        for p in range(period):
            for j in range(SIDE):
                starts[j] = (y * period + (p + j) % period) * n + (p + j) // period
            count = (width - p + period - 1) // period
            for k0 in range(0, count, _BLOCK):
                size = min(_BLOCK, count - k0)
                for v in range(values):
                    w = weights[y % down, p, v]
                    sums[:] = f4(0)
                    for i in range(SIDE):
                        row = i * period * n + k0
                        a, b, c, d = u8(starts[0] + row), u8(starts[1] + row), u8(starts[2] + row), u8(starts[3] + row)
                        e, f, g = u8(starts[4] + row), u8(starts[5] + row), u8(starts[6] + row)
                        t = SIDE * i
                        wa, wb, wc, wd, we, wf, wg = w[t], w[t + 1], w[t + 2], w[t + 3], w[t + 4], w[t + 5], w[t + 6]
                        for k in range(u8(size)):
                            sums[k] += (
                                wa * flat[a + k]
                                + wb * flat[b + k]
                                + wc * flat[c + k]
                                + wd * flat[d + k]
                                + we * flat[e + k]
                                + wf * flat[f + k]
                                + wg * flat[g + k]
                            )
                    line = out[v, y]
                    for k in range(size):
                        line[(k0 + k) * period + p] = sums[k]
