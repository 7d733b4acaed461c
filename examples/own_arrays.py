"""Merge raw frames that are NumPy arrays, from a machine-vision camera, say; no file format is involved.

Run it as `python examples/own_arrays.py frames.npy merged.npz`.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

import burstsr


def merge(mosaics: NDArray[np.uint16]) -> burstsr.Result:
    """One image from (N, H, W) mosaics of a 12-bit RGGB sensor, with maps of its weight and noise variance."""
    burst = burstsr.Burst.from_arrays(mosaics, "RGGB", black=64, white=4095, as_shot_neutral=(0.55, 1.0, 0.7))
    return burstsr.super_resolve(burst, burstsr.Settings(scale=2.0), keep_maps=True)


def main(source: str, target: str) -> None:
    """Read an array, write the image and its maps."""
    result = merge(np.load(source))
    assert result.noise is not None and result.weight is not None
    np.savez(target, image=result.image, variance=result.noise, weight=result.weight)
    noise = result.report.noise
    print(f"{result.image.shape}, median weight {np.median(result.weight):.2f} samples; noise of the frames: {noise.source if noise else 'unknown'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
