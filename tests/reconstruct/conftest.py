"""A tile, a crop of a frame that shows it, and what is known of both; small enough for the loops to run uncompiled."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from burstsr import super_resolve
from burstsr.core.cfa import Cfa
from burstsr.core.flow import Flow
from burstsr.core.lateral import NO_LATERAL
from burstsr.reconstruct import equations, naive
from burstsr.reconstruct.lens_taps import gaussian
from reconstruct.scenes import BEST, FAST, simulated

SCALES = [1.0, 1.5, 2.0, 3.0, 4.0]
BLURS = [0.0, 0.7]  # pixels of the image


@dataclass(frozen=True)
class Case:
    samples: np.ndarray
    place: np.ndarray
    cfa: np.ndarray
    scale: float
    back: Flow
    robustness: np.ndarray
    corner: np.ndarray
    certainty: np.ndarray
    origin: np.ndarray
    taps: np.ndarray
    lens: np.ndarray = field(default_factory=lambda: NO_LATERAL)

    @property
    def shape(self):
        return self.certainty.shape[1:]

    @property
    def reach(self):
        return int(np.ceil(self.scale))

    @property
    def places(self):
        return (self.samples, self.place, self.cfa, np.float32(self.scale), self.back)

    def squares(self):
        return naive.squares(self.samples, self.place, self.cfa, self.scale, self.back, self.origin, self.shape, self.lens)

    def matrices(self):
        """A, w, y of the paper."""
        where = self.squares()
        return naive.sample_matrix(where, self.shape), naive.weights(where, self.robustness, self.corner, self.certainty), self.samples.astype(float)

    def footprints(self):
        return equations.footprints(*self.places, equations.TileGrid(self.corner, self.robustness.shape, self.certainty, self.origin, self.lens))

    def gathered(self):
        """normal and right of the loops."""
        return equations.normal_equations([self.footprints()], [self.robustness], self.cfa, np.float32(self.scale), self.certainty.shape)


def case_of(scale, rng, sigma=0.0, shape=(23, 26), flow_px=0.8, **changes):
    """A tile at image (10, -3) under a crop that reaches beyond it; flow varies from tile to tile, three samples are missing."""
    origin = np.array([10, -3])
    place = np.maximum(np.floor((origin / scale - 3) / 2).astype(int) * 2, 0)
    last = np.ceil((origin + shape) / scale + 3).astype(int)
    samples = rng.uniform(0, 0.9, last - place).astype(np.float32)
    samples.ravel()[rng.choice(samples.size, 3, replace=False)] = np.nan
    back = Flow(rng.normal(0, flow_px, (3, 4, 2)).astype(np.float32), 16)
    corner = np.floor(origin / scale / 2).astype(int)
    cells = np.floor((origin + shape) / scale / 2).astype(int) - corner + 1
    robustness = (rng.uniform(0, 1, cells) * (rng.uniform(0, 1, cells) > 0.1)).astype(np.float32)
    certainty = rng.uniform(50, 2000, (3, *shape)).astype(np.float32)
    case = Case(samples, place, np.array(Cfa.parse("GRBG"), np.int64), scale, back, robustness, corner, certainty, origin, gaussian(sigma))
    return replace(case, **changes)


@pytest.fixture(scope="package")
def made():
    return simulated()


@pytest.fixture(scope="package")
def fast(made):
    return super_resolve(made.burst, replace(FAST, measure_noise=True))


@pytest.fixture(scope="package")
def best(made):
    return super_resolve(made.burst, replace(BEST, measure_noise=True))


@pytest.fixture(params=SCALES)
def scale(request):
    return request.param


@pytest.fixture
def case(scale, rng):
    return case_of(scale, rng)
