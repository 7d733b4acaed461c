"""Loop of motion refinement against the reconstruction. Same arithmetic as the prediction in `naive.py`."""

import math

import numpy as np

from burstsr.core.area_loops import square_mean
from burstsr.core.flow_loops import single_flow_at
from burstsr.core.jit import compiled

f4 = np.float32
STEP = 0.1  # step of the finite difference, raw pixels
OUTLIER = 3.0  # standard deviations beyond which a sample is down-weighted (Huber)


@compiled
def normal_sums(first, last, samples, cfa, image, scale, back, tile, alpha, beta, sums):
    """Accumulate, per tile of the frame and half of its CFA cells, the normal equations of a Gauss-Newton step: sums (nty, ntx, 2, 5) float64.

    Rows first .. last of samples (H, W), NaN where missing. The five: H_yy, H_yx, H_xx, g_y, g_x of  sum w (sample - prediction)^2 / 2, with w = 1 / variance,
    reduced for outliers. Cells alternate between the halves in a checkerboard.
    """
    height, width = samples.shape
    s = f4(scale)
    h = f4(STEP) * s
    taps = int(math.ceil(scale)) + 1
    for qy in range(first, last):
        for qx in range(width):
            sample = samples[qy, qx]
            if math.isnan(sample) or sample >= f4(1):
                continue
            dy, dx = single_flow_at(back, tile, f4(qy), f4(qx))
            y = (f4(qy) + dy) * s
            x = (f4(qx) + dx) * s
            c = cfa[qy % cfa.shape[0], qx % cfa.shape[1]]
            guess = square_mean(image, y, x, s, taps, c)
            slope_y = (square_mean(image, y + h, x, s, taps, c) - guess) / f4(STEP)
            slope_x = (square_mean(image, y, x + h, s, taps, c) - guess) / f4(STEP)
            left = sample - guess
            variance = alpha[c] * max(guess, f4(0)) + beta[c]
            weight = min(f4(1), f4(OUTLIER) * math.sqrt(variance) / max(abs(left), f4(1e-9))) / variance
            total = sums[qy // tile, qx // tile, ((qy >> 1) + (qx >> 1)) & 1]
            total[0] += weight * slope_y * slope_y
            total[1] += weight * slope_y * slope_x
            total[2] += weight * slope_x * slope_x
            total[3] += weight * slope_y * left
            total[4] += weight * slope_x * left
