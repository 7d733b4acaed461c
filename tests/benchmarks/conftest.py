import numpy as np
import pytest

from benchmarks.shots import shot_of
from burstsr.simulate import SimulateSettings, simulate_burst


def _scene(height=192, width=224, seed=2):
    """(height, width, 3) float32 sRGB: smooth colours, soft edges."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(generator.uniform(-0.12, 0.12) * y + generator.uniform(-0.12, 0.12) * x + generator.uniform(0, 6)) for _ in range(9)]
    image = np.stack([0.45 + 0.1 * sum(waves[c::3]) for c in range(3)], axis=-1)
    image += 0.15 * np.tanh(np.sin(x / 9) * 3)[..., None] * np.tanh(np.sin(y / 11) * 3)[..., None]
    return np.clip(image, 0.05, 0.95).astype(np.float32)


def _shot(seed=1, **settings):
    known = {"frames": 4, "iso": 200, "deviation_px": 1.0, "rotation_deg": 0.1, "blur_sigma_px": 0.0, **settings}
    return shot_of(simulate_burst(_scene(), SimulateSettings(**known), np.random.default_rng(seed), "scene"))


@pytest.fixture(scope="session")
def scene():
    """The function that draws the scene."""
    return _scene


@pytest.fixture(scope="session")
def shot():
    """The function that photographs it."""
    return _shot


@pytest.fixture(scope="session")
def small():
    """Four hand-held frames of 96 x 112 at x2."""
    return _shot()
