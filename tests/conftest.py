import os
from pathlib import Path

import numpy as np
import pytest

from burstsr.core.burst import Burst, Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.noise import Noise


def _data() -> Path | None:
    named = os.environ.get("BURSTSR_DATA")
    return Path(named) if named and Path(named).is_dir() else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """`-n auto`: each process holds its own loops, networks and images, and the loops in it have threads."""
    return min(os.cpu_count() or 1, 8)


os.environ["BURSTSR_WARMUP"] = "0"  # commands compile what they need, in the tests' own process
os.environ["BURSTSR_PROFILES"] = os.devnull  # not the folder of whoever runs the tests


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of development data; the test skips where it is absent."""
    folder = _data()
    if folder is None:
        pytest.skip("development data not here (BURSTSR_DATA)")
    return folder


@pytest.fixture(params=("naive", "loops"))
def engine(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def texture():
    """(96, 128) float64 smooth random texture, 0.1 to 0.9, as a function of raw position: exact at any sub-pixel shift."""
    generator = np.random.default_rng(5)
    waves = [(generator.uniform(-0.9, 0.9, 2), generator.uniform(0, 6.28), generator.uniform(0.3, 1)) for _ in range(24)]

    def at(y, x):
        value = sum(a * np.sin(k[0] * np.asarray(y) + k[1] * np.asarray(x) + p) for k, p, a in waves)
        return 0.5 + 0.4 * value / sum(a for _, _, a in waves) * 2.0

    return at


def frame_of(image, cfa="RGGB", noise=None, name="frame_000.dng", white=65535.0, black=1024.0):
    """A noise-free Frame that shows (H, W, 3) or grey (H, W) linear camera RGB."""
    image = np.asarray(image, np.float64)
    height, width = image.shape[:2]
    colours = Cfa.of(cfa).channel_map((height, width)).astype(int)
    x = image if image.ndim == 2 else np.take_along_axis(image, colours[..., None], 2)[..., 0]
    mosaic = np.clip(np.rint(black + x * (white - black)), 0, 65535).astype(np.uint16)
    info = FrameInfo(
        Path(name), (height, width), Cfa.of(cfa), Levels(np.full((2, 2), black), white), Colour(np.ones(3), None), "test", noise or Noise.of_iso(100)
    )
    return Frame(info, mosaic)


def burst_of(images, **named):
    return Burst("test", tuple(frame_of(p, name=f"frame_{i:03d}.dng", **named) for i, p in enumerate(images)))
