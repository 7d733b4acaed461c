"""The picture that alignment looks at: grey, at full resolution, noise of deviation one everywhere."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.align import frame_loops
from burstsr.core.burst import Frame
from burstsr.core.jit import over_rows
from burstsr.core.noise import Noise
from burstsr.core.sensor import site_rows, stabilisation

Floats = NDArray[np.float32]


def luma(frame: Frame, noise: Noise, rows: slice | None = None, columns: slice | None = None, out: Floats | None = None) -> Floats:
    """(H, W) float32: the mosaic low-passed at half band, in units in which a single sample's noise has deviation 1.

    rows, columns: the part of it that is wanted, with starts and stops from 0. out: where to write it.
    Departs: Wronski 2019, section 5.1, aligns on linear light; stabilised noise lets shadows count as much as lights.
    """
    mosaic = frame.mosaic
    rows, columns = rows or slice(0, mosaic.shape[0]), columns or slice(0, mosaic.shape[1])
    if out is None:
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    arguments = (*site_rows(frame.info.levels, mosaic.shape[1]), *stabilisation(noise), rows.start, columns.start)
    over_rows(frame_loops.luma_rows, out.shape[0], mosaic, *arguments, out)
    return out


def pyramid(image: Floats, smallest: int = 24, spare: list[Floats] | None = None) -> list[Floats]:
    """The picture, then halves of it while both sides stay at least `smallest` pixels. Factor 2^i at level i.

    spare: a pyramid of the same shape that nobody needs any more, written over from its second level.
    """
    levels = [image]
    while min(levels[-1].shape) >= 2 * smallest and len(levels) < 10:
        levels.append(np.asarray(cv2.pyrDown(levels[-1], dst=spare[len(levels)] if spare else None), np.float32))
    return levels
