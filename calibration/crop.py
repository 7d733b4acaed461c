"""Central crops of bursts, where a part is sufficient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from burstsr.core.burst import Burst, Frame


def crop_middle(burst: Burst, part_px: int) -> Burst:
    """Crop every frame to its central `part_px` raw pixels per axis, complete CFA cells, part_px even; the whole frame if it is smaller."""
    top, left = (max(n - part_px, 0) // 4 * 2 for n in burst.info.shape)
    parts = []
    for frame in burst:
        mosaic = np.ascontiguousarray(frame.mosaic[top : top + part_px, left : left + part_px])
        gain = frame.info.gain and frame.info.gain.cropped(top, left)
        lateral = frame.info.lateral and frame.info.lateral.cropped(top, left)
        parts.append(Frame(replace(frame.info, shape=(mosaic.shape[0], mosaic.shape[1]), gain=gain, lateral=lateral), mosaic))
    return replace(burst, frames=tuple(parts))
