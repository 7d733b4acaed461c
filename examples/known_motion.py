"""Merge frames whose motion is known, from a microscope's stage or a piezo mount.

Run it as `python examples/known_motion.py frames positions.txt 2.4 merged.dng`.

positions.txt has one line per frame: y and x of the stage in micrometres, in the order of the frames' names; 2.4 is the size of a pixel, in micrometres, in
the plane of the object.
"""

from __future__ import annotations

import sys

import numpy as np

import burstsr


def flows_of(positions_um: np.ndarray, pixel_um: float, shape: tuple[int, int]) -> list[burstsr.Flow]:
    """Flow of every frame against the first. The object moves with the stage: what frame 0 shows at p, another shows at p + flow."""
    shifts = (positions_um - positions_um[0]) / pixel_um
    flows = []
    for dy, dx in shifts:
        flow = burstsr.Flow.zero(shape, tile_px=64)
        flows.append(burstsr.Flow(flow.tiles + np.array([dy, dx], np.float32), flow.tile_px))
    return flows


def main(folder: str, positions: str, pixel_um: str, target: str) -> None:
    """Merge the frames of `folder` with the motion that the stage reported."""
    burst = burstsr.read_burst(folder)
    flows = flows_of(np.loadtxt(positions, ndmin=2), float(pixel_um), burst.info.shape)
    result = burstsr.super_resolve(burst, burstsr.Settings(scale=2.0, reference=0), flows=flows)
    burstsr.write_dng(target, result)
    print(f"{result.report.frames_used} frames, coverage {result.report.coverage:.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
