"""Bursts of arrays, and equality by content."""

import numpy as np
import pytest

import burstsr
from burstsr.core.burst import Burst
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.noise import Noise


def mosaics(count=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(100, 4000, (32, 48)).astype(np.uint16) for _ in range(count)]


def test_a_burst_of_arrays_needs_no_file():
    burst = Burst.from_arrays(mosaics(), "GRBG", black=64, white=4095, as_shot_neutral=(0.5, 1, 0.6))
    assert len(burst) == 3 and burst.info.cfa_order == "GRBG" and burst.info.levels.white == 4095
    result = burstsr.super_resolve(burst, burstsr.Settings(scale=1.0, reference=0))
    assert result.image.shape == (32, 48, 3) and np.isfinite(result.image).all()


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ([], {}, "at least one frame"),
        ([np.zeros((32, 32))], {}, r"mosaics\[0\]"),
        ([np.zeros((32, 32, 3), np.uint16)], {}, r"mosaics\[0\]"),
        ([np.full((32, 32), 70000)], {}, r"mosaics\[0\]"),
        ([np.zeros((32, 32), np.uint16)], {"cfa": "RGBW"}, "cfa must be one of"),
        ([np.zeros((32, 32), np.uint16)], {"black": np.zeros((6, 6))}, "black must be"),
        ([np.zeros((32, 32), np.uint16)], {"black": "dark"}, "black must be"),
    ],
)
def test_arrays_that_are_no_mosaics_are_refused(given, options, message):
    with pytest.raises((SettingsError, BurstError), match=message):
        Burst.from_arrays(given, **options)


def test_frames_and_bursts_are_equal_by_content():
    one, same, other = (Burst.from_arrays(mosaics(seed=s), white=4095) for s in (0, 0, 1))
    assert one == same and hash(one) == hash(same) and one.frames[0] == same.frames[0]
    assert one != other and one.frames[0] != other.frames[0] and one.info != "text"
    assert len({one, same, other}) == 2
    zero, negative_zero = (Noise(np.zeros(3), np.full(3, value)) for value in (0.0, -0.0))
    assert zero == negative_zero and hash(zero) == hash(negative_zero)


def test_the_old_name_of_result_warns():
    with pytest.warns(DeprecationWarning, match="Result"):
        assert burstsr.Picture is burstsr.Result
