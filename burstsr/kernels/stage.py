"""Frame to merge kernels: one anisotropic Gaussian per CFA cell (Wronski 2019, section 5.1.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import stabilised_cells
from burstsr.kernels import loops
from burstsr.settings import KernelSettings


def kernels(frame: Frame, noise: Noise, settings: KernelSettings) -> NDArray[np.float32]:
    """Compute the inverse covariance per CFA cell: (H/2, W/2, 3) float32, (yy, yx, xx) in 1/px^2 of raw pixels, positive definite.

    The structure tensor is of CFA cells (2 x 2 decimation) in units of the noise sigma, so that thresholds have the same meaning at every ISO.
    Departs: anisotropy switches between isotropic and elongated over A = 1.85 .. 1.95 (as the published re-implementation does at 1.95) instead of
    scaling with A.
    """
    cells = stabilised_cells(as_bayer(frame), noise)
    out = np.empty((*cells.shape, 3), np.float32)
    s = settings
    values = [np.float32(v) for v in (s.k_detail_px, s.k_denoise, s.d_threshold, s.d_transition, s.k_stretch, s.k_shrink)]
    over_rows(loops.kernel_rows, len(cells), cells, *values, out, multiple=loops.STRIP)
    return out


def structure_tensor(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the (h, w, 3) mean of (gy gy, gy gx, gx gx) over 2 x 2 forward differences around each of `cells` (h, w)."""
    out = np.empty((*cells.shape, 3), np.float32)
    over_rows(loops.tensor_rows, len(cells), cells, 0, out)
    return out
