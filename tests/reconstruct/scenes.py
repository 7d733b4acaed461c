"""Bursts to reconstruct, and how good the result is."""

import numpy as np

from burstsr import Settings, super_resolve
from burstsr.quality.image_error import psnr_linear
from burstsr.settings import read_settings
from burstsr.simulate import SimulateSettings, simulate_burst

FAST = Settings(reference=0, measure_noise=False)
BEST = Settings(reference=0, mode="best", measure_noise=False)  # to measure the noise of a result takes five times as long as the result
EDGE = 8


def stripes(height=192, width=224, seed=3):
    """Patches of colour with sharp edges, and stripes finer than a single frame can tell; uint8 sRGB."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = np.full((height, width, 3), 90.0)
    for _ in range(20):
        cy, cx, r = generator.uniform(0, height), generator.uniform(0, width), generator.uniform(5, 40)
        out[(np.abs(y - cy) + 0.4 * (x - cx) < r) & (np.abs(x - cx) < r)] = generator.uniform(10, 245, 3)
    out[:, : width // 3] += 30 * np.sin(x[:, : width // 3] * 0.9 + y[:, : width // 3] * 0.5)[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def waves(height=192, width=224, seed=1):
    """Smooth waves and a few edges of one hue; uint8 sRGB."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    sums = sum(np.sin(generator.uniform(-0.4, 0.4) * y + generator.uniform(-0.4, 0.4) * x + generator.uniform(0, 6)) for _ in range(8))
    grey = 0.5 + 0.1 * sums + 0.2 * ((x // 24 + y // 20) % 2)
    return np.uint8(np.clip(grey[..., None] * generator.uniform(0.6, 1, 3), 0.02, 0.98) * 255)


def simulated(image=None, seed=2, **settings):
    image = stripes() if image is None else image
    return simulate_burst(image, SimulateSettings(**{"frames": 7, "iso": 100, **settings}), np.random.default_rng(seed))


def changed(*assignments, base=BEST):
    return read_settings(base, None, assignments)


def quality(made, settings):
    return psnr_linear(super_resolve(made.burst, settings).image, made.truth, EDGE)
