"""The image that is aligned: luma at full resolution, with noise of unit standard deviation."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import frame_loops
from burstsr.core.burst import Frame
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.core.remosaic import as_bayer
from burstsr.core.sensor import site_rows, stabilisation

Floats = NDArray[np.float32]


def luma(frame: Frame, noise: Noise, rows: slice | None = None, columns: slice | None = None, out: Floats | None = None) -> Floats:
    """Return the low-passed (half band), variance-stabilised mosaic, (H, W) float32, in units of the noise sigma of a single sample.

    rows, columns: region to compute, with explicit non-negative starts and stops; None: all. out: array to write to.
    Departs: Wronski 2019, section 5.1, aligns on linear intensities; variance stabilisation gives shadows as much weight as highlights.
    """
    frame = as_bayer(frame)  # whose carrier the low-pass removes
    mosaic = frame.mosaic
    rows, columns = rows or slice(0, mosaic.shape[0]), columns or slice(0, mosaic.shape[1])
    if out is None:
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    arguments = (*site_rows(frame.info.levels, mosaic.shape[1]), *stabilisation(noise), rows.start, columns.start)
    over_rows(frame_loops.luma_rows, out.shape[0], mosaic, *arguments, out)
    return out


def pyramid(image: Floats, smallest: int = 24, spare: list[Floats] | None = None) -> list[Floats]:
    """Return the image followed by successive halvings while both sides stay at least `smallest` pixels. Factor 2^i at level i.

    spare: an unused pyramid of the same shape; its arrays are overwritten from the second level on.
    """
    levels = [image]
    while min(levels[-1].shape) >= 2 * smallest and len(levels) < 10:
        levels.append(np.asarray(cv2.pyrDown(levels[-1], dst=spare[len(levels)] if spare else None), np.float32))
    return levels
