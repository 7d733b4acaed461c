"""Lens shading: the simulator's gain map against the reader's own arithmetic."""

import numpy as np
import pytest

from burstsr.core.noise import Noise
from burstsr.io.opcodes import gain_rows, read_gain_maps, whole_frame, written_gain_maps
from burstsr.simulate import SimulateSettings, simulate_burst
from burstsr.simulate.vignetting import corner_gain, gain_at_pixels


@pytest.mark.parametrize("shape", [(48, 64), (50, 34)])
def test_gain_is_what_a_reader_of_the_file_computes(tmp_path, shape):
    gain = corner_gain(0.7)
    (read,) = read_gain_maps(written_gain_maps([whole_frame(gain, shape)]), tmp_path / "a.dng")
    np.testing.assert_array_equal(read.gain, gain)
    np.testing.assert_allclose(gain_rows([read], shape, 0, shape[0]), gain_at_pixels(gain, shape), rtol=1e-5)


def test_corners_lose_the_share_and_the_middle_nothing():
    gain = corner_gain(0.5)
    assert gain[0, 0] == gain[-1, -1] == pytest.approx(2)
    assert gain[6, 8] == gain.min() == 1


def test_frames_are_darker_by_the_gain_and_no_vignetting_changes_nothing():
    image = np.random.default_rng(0).uniform(0.2, 0.8, (96, 128, 3)).astype(np.float32)
    quiet = Noise(np.zeros(3), np.zeros(3))
    plain, shaded = (
        simulate_burst(image, SimulateSettings(frames=2, noise=quiet, bits=16, vignetting=share), np.random.default_rng(1)) for share in (0.0, 0.4)
    )
    assert plain.gain is None and np.array_equal(plain.truth, shaded.truth)
    for a, b in zip(plain.burst, shaded.burst, strict=True):
        np.testing.assert_allclose((b.mosaic - 2048.0) * gain_at_pixels(shaded.gain, a.info.shape), a.mosaic - 2048.0, atol=1.5)
