"""Frame to merge kernels: one anisotropic Gaussian per CFA quad (Wronski 2019, section 5.1.2)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.covariance import loops
from burstsr.ground.burst import Frame
from burstsr.ground.compiled import over_rows
from burstsr.ground.noise import Noise
from burstsr.ground.sensor import stabilised_quads
from burstsr.settings import CovarianceSettings


def kernels(frame: Frame, noise: Noise, settings: CovarianceSettings) -> NDArray[np.float32]:
    """Inverse covariance per quad: (H/2, W/2, 3) float32, (yy, yx, xx) in 1/px^2 of raw pixels, positive definite.

    The structure tensor is of quads (2 x 2 decimation) in units of noise deviations, so settings' thresholds mean the same at every ISO.
    Departs: anisotropy switches between round and stretched over A = 1.85 .. 1.95 (as the published re-implementation does at 1.95) instead of
    scaling with A.
    """
    tensor = structure_tensor(stabilised_quads(frame, noise))
    out = np.empty_like(tensor)
    s = settings
    values = [np.float32(v) for v in (s.k_detail_px, s.k_denoise, s.d_threshold, s.d_transition, s.k_stretch, s.k_shrink)]
    over_rows(loops.inverse_covariances, tensor.shape[0], tensor, *values, out)
    return out


def structure_tensor(quads: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3) mean of (gy gy, gy gx, gx gx) over 2 x 2 forward differences around each quad of (h, w) `quads`."""
    padded = np.pad(quads, 1, mode="edge")
    # Roberts-like slopes at the quads' corners, (h + 1, w + 1)
    gy = 0.5 * (padded[1:, :-1] + padded[1:, 1:] - padded[:-1, :-1] - padded[:-1, 1:])
    gx = 0.5 * (padded[:-1, 1:] + padded[1:, 1:] - padded[:-1, :-1] - padded[1:, :-1])
    products = np.stack([gy * gy, gy * gx, gx * gx], axis=-1).astype(np.float32)
    return np.ascontiguousarray(cv2.boxFilter(products, -1, (2, 2), anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)[:-1, :-1])
