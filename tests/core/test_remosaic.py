"""Interpolation of any pattern, and the Bayer mosaics made by it."""

import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.cfa import Cfa
from burstsr.core.remosaic import BAYER, as_bayer, inside_at_phase, interpolated, taps
from burstsr.core.sensor import samples

PATTERNS = ["X-Trans", "quad RGGB", "quad GBRG", "GR/RB"]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_gradient_of_any_colour_shows_no_pattern(name):
    cfa, (y, x) = Cfa.parse(name), np.mgrid[:42, :46]
    colours = np.array([0.1, 0.5, 0.3])[:, None, None] + 0.004 * y * np.array([1, -1, 0.5])[:, None, None] + 0.003 * x
    mosaic = np.take_along_axis(colours, cfa.channel_map(y.shape)[None].astype(np.int64), 0)[0].astype(np.float32)
    expected = np.take_along_axis(colours, BAYER.channel_map(y.shape)[None].astype(np.int64), 0)[0]
    found = interpolated(mosaic, cfa, BAYER)
    np.testing.assert_allclose(found[6:-6, 6:-6], expected[6:-6, 6:-6], atol=1e-5)
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize("name", PATTERNS)
def test_a_constant_is_one_up_to_the_borders(name):
    np.testing.assert_allclose(interpolated(np.full((38, 32), 0.3, np.float32), Cfa.parse(name), BAYER), 0.3, atol=1e-6)


@pytest.mark.parametrize("name", PATTERNS)
def test_weights_sum_to_one_and_are_of_the_channel(name):
    cfa = Cfa.parse(name)
    for channel in range(3):
        found = taps(cfa, channel)
        assert sum(w for *_, w in found) == pytest.approx(1) and all(cfa.channel(dy, dx) == channel for dy, dx, _ in found)


def test_the_noise_of_means_over_a_few_cells_is_that_of_a_sensor(rng):
    for name in ("X-Trans", "quad RGGB"):
        made = interpolated(rng.standard_normal((720, 720)).astype(np.float32), Cfa.parse(name), BAYER)
        for y, x in ((0, 0), (1, 1)):
            means = made[y::2, x::2].reshape(120, 3, 120, 3).mean((1, 3))
            assert 9 * means.var() == pytest.approx(0.9, abs=0.15)


def test_a_frame_is_made_once_and_bayer_frames_are_themselves():
    frame = frame_of(np.full((36, 36), 0.3), cfa="X-Trans")
    bayer = as_bayer(frame)
    assert as_bayer(frame) is bayer and bayer.info.cfa == BAYER and bayer.info.shape == frame.info.shape
    np.testing.assert_allclose(samples(bayer.mosaic, bayer.info.levels), 0.3, atol=1e-4)
    for name in ("GBRG", "mono"):
        own = frame_of(np.full((36, 36), 0.3), cfa=name)
        assert as_bayer(own) is own


def test_beyond_a_border_is_the_nearest_sample_of_the_same_phase():
    index = np.arange(-7, 20)
    found = inside_at_phase(index, 13, 6)
    assert ((found - index) % 6 == 0).all() and found.min() >= 0 and found.max() < 13
    assert (found == index)[(index >= 0) & (index < 13)].all()
