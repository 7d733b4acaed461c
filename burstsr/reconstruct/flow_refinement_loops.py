"""Loop of motion refinement against the reconstruction. Same arithmetic as the prediction in `naive.py`."""

import math

import numpy as np

from burstsr.core.jit import compiled, inlined
from burstsr.reconstruct.loops import cover, position

f4 = np.float32
STEP = 0.1  # step of the finite difference, raw pixels
OUTLIER = 3.0  # standard deviations beyond which a sample is down-weighted (Huber)


@inlined
def square_mean(image, channel, start_y, start_x, scale, share_y, share_x):
    """Return the mean of one channel over the square that starts at (start_y, start_x) in edge coordinates; borders replicated."""
    height, width = image.shape[:2]
    y0 = cover(start_y, scale, share_y)
    x0 = cover(start_x, scale, share_x)
    total = f4(0)
    for a in range(len(share_y)):
        y = min(max(y0 + a, 0), height - 1)
        for b in range(len(share_x)):
            total += share_y[a] * share_x[b] * image[y, min(max(x0 + b, 0), width - 1), channel]
    return total


@compiled
def normal_sums(first, last, samples, cfa, image, scale, back, tile, alpha, beta, sums):
    """Accumulate, per tile of the frame and half of its CFA cells, the normal equations of a Gauss-Newton step: sums (nty, ntx, 2, 5) float64.

    Rows first .. last of samples (H, W), NaN where missing. The five: H_yy, H_yx, H_xx, g_y, g_x of  sum w (sample - prediction)^2 / 2, with w = 1 / variance,
    reduced for outliers. Cells alternate between the halves in a checkerboard.
    """
    height, width = samples.shape
    s = f4(scale)
    h = f4(STEP) * s
    share_y = np.zeros(int(math.ceil(scale)) + 1, f4)
    share_x = np.zeros(int(math.ceil(scale)) + 1, f4)
    for qy in range(first, last):
        for qx in range(width):
            sample = samples[qy, qx]
            if math.isnan(sample) or sample >= f4(1):
                continue
            py, px = position(f4(qy), f4(qx), back, tile)
            y = py * s
            x = px * s
            c = cfa[qy % cfa.shape[0], qx % cfa.shape[1]]
            guess = square_mean(image, c, y, x, s, share_y, share_x)
            slope_y = (square_mean(image, c, y + h, x, s, share_y, share_x) - guess) / f4(STEP)
            slope_x = (square_mean(image, c, y, x + h, s, share_y, share_x) - guess) / f4(STEP)
            left = sample - guess
            variance = alpha[c] * max(guess, f4(0)) + beta[c]
            weight = min(f4(1), f4(OUTLIER) * math.sqrt(variance) / max(abs(left), f4(1e-9))) / variance
            total = sums[qy // tile, qx // tile, ((qy >> 1) + (qx >> 1)) & 1]
            total[0] += weight * slope_y * slope_y
            total[1] += weight * slope_y * slope_x
            total[2] += weight * slope_x * slope_x
            total[3] += weight * slope_y * left
            total[4] += weight * slope_x * left
