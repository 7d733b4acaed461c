"""The middle of a burst, where a part of it is enough to look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burstsr.core.burst import Burst, Frame


def crop_middle(burst: Burst, part_px: int) -> Burst:
    """The middle `part_px` raw pixels of every frame along each axis, whole quads, part_px even; all of it where frames are smaller."""
    top, left = (max(n - part_px, 0) // 4 * 2 for n in burst.info.shape)
    parts = []
    for frame in burst:
        mosaic = np.ascontiguousarray(frame.mosaic[top : top + part_px, left : left + part_px])
        parts.append(Frame(replace(frame.info, shape=(mosaic.shape[0], mosaic.shape[1])), mosaic))
    return replace(burst, frames=tuple(parts))
