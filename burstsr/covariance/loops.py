"""Covariance's loop. Same arithmetic as `paper.py`."""

import math

import numpy as np

from burstsr.ground.compiled import compiled

f4 = np.float32


@compiled
def inverse_covariances(first, last, tensor, k_detail, k_denoise, d_threshold, d_transition, k_stretch, k_shrink, out):
    """Inverse merge covariance (yy, yx, xx) in 1/px^2 per quad from structure tensors (yy, yx, xx)."""
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
