"""Compare methods on a simulated burst, of which the truth is known.

Run it as `python examples/compare_methods.py picture.png`.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

import burstsr

_BORDER = 16  # pixels that are not scored: frames end there


def psnr(image: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio in dB of linear camera RGB, where saturation is 1."""
    inner = (slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
    return float(-10 * np.log10(np.mean((image[inner] - np.minimum(truth[inner], 1)) ** 2)))


def scores(picture: NDArray[np.uint8], frames: int = 8, iso: float = 400.0) -> dict[str, float]:
    """PSNR of one frame alone, of a streaming merge, and of both modes."""
    made = burstsr.simulate_burst(picture, burstsr.SimulateSettings(frames=frames, iso=iso), np.random.default_rng(0))
    settings = burstsr.Settings(scale=2.0, reference=0)
    stream = burstsr.StreamingMerge(settings)
    for frame in made.burst:
        stream.add(frame)
    results = {
        "one frame": burstsr.super_resolve(burstsr.Burst("one", made.burst.frames[:1]), settings),
        "streaming": stream.finish(),
        "fast": burstsr.super_resolve(made.burst, settings),
        "best": burstsr.super_resolve(made.burst, replace(settings, mode="best")),
    }
    return {name: psnr(result.image, made.truth) for name, result in results.items()}


def main(picture: str) -> None:
    """Print a table."""
    for name, score in scores(iio.imread(picture)[..., :3]).items():
        print(f"{name:>10}  {score:6.2f} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
