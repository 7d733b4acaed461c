import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.burst import Burst
from burstsr.core.noise import Noise
from burstsr.noise import estimate, estimate_noise, estimate_snr


@pytest.mark.parametrize("iso", [100, 800, 3200])
def test_estimate_from_a_textured_frame(iso, rng):
    """From one frame: within 40 % at mid levels."""
    noise = Noise.of_iso(iso)
    y, x = np.mgrid[:400, :600]
    scene = 0.02 + 0.5 * (x / 600) * (1 + 0.2 * np.sin(y / 9.0))
    frame = frame_of(scene + np.sqrt(noise.variance(scene, 1)) * rng.standard_normal(scene.shape))
    found = estimate(frame)
    for channel in range(3):
        for level in (0.05, 0.2, 0.4):
            assert float(found.variance(level, channel)) == pytest.approx(float(noise.variance(level, channel)), rel=0.4)


def test_a_profile_is_believed_and_kept_per_channel():
    noise = Noise(np.array([1e-4, 2e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6]))
    frame = frame_of(np.full((64, 64), 0.2), noise=noise)
    found, source = estimate_noise(Burst("b", (frame,)))
    assert source == "NoiseProfile"
    assert found is noise


def test_flat_noiseless_frames_give_a_usable_model():
    frame = frame_of(np.full((64, 64), 0.2))
    found = estimate(frame)
    assert np.isfinite(found.alpha).all()
    assert (found.alpha + found.beta > 0).all()


def test_snr(rng):
    noise = Noise(np.zeros(3), np.full(3, 1e-4))
    assert estimate_snr(frame_of(np.full((64, 64), 0.2)), noise) == pytest.approx(20, rel=1e-3)
