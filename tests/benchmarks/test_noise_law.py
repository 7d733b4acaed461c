"""The noise that a result claims is the noise that it has."""

import numpy as np
import pytest
from tolerances import CLAIMED_SIGMA

from benchmarks.noise_law import claims, flat_burst
from burstsr import Settings, super_resolve
from burstsr.core.noise import Noise

FAST = [("fast", 1, 2.0, 0, 400), ("fast", 6, 1.5, 3, 1600), ("fast", 40, 1.0, 0, 100)]
BEST = [("best", 5, 2.0, 0, 400), ("best", 24, 1.0, 0, 400), ("best", 6, 1.5, 3, 1600)]


@pytest.mark.parametrize(("mode", "frames", "scale", "rejected", "iso"), FAST + BEST)
def test_the_written_noise_is_the_noise_that_is_there(mode, frames, scale, rejected, iso):
    """On flat ground, at any scale and number of frames, where robustness keeps all of them or half; at two levels."""
    for light in (0.05, 0.4):
        burst, flows = flat_burst(Noise.of_iso(iso), light, frames, rejected, 96, np.random.default_rng(3))
        image = super_resolve(burst, Settings(scale=scale, mode=mode, reference=0), flows=flows)
        ratio = claims(image, light)
        assert (1 / CLAIMED_SIGMA < ratio).all() and (ratio < CLAIMED_SIGMA).all(), ratio


def test_noise_falls_with_the_number_of_frames():
    """A hundred frames once claimed a fifteenth of one frame's variance."""
    claimed = []
    for frames in (2, 100):
        burst, flows = flat_burst(Noise.of_iso(400), 0.2, frames, 0, 64, np.random.default_rng(0))
        claimed.append(float(super_resolve(burst, Settings(reference=0), flows=flows).noise_model.variance(0.2, 1)))
    assert 35 < claimed[0] / claimed[1] < 70


def test_the_claim_does_not_change_from_run_to_run():
    burst, flows = flat_burst(Noise.of_iso(400), 0.2, 3, 0, 64, np.random.default_rng(0))
    a, b = (super_resolve(burst, Settings(reference=0), flows=flows).noise_model for _ in range(2))
    np.testing.assert_array_equal(np.stack([a.alpha, a.beta]), np.stack([b.alpha, b.beta]))
