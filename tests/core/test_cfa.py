"""Colour filter arrays: names, arrays, sites, periods; and who supports which."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of

import burstsr
from burstsr.core.burst import Burst, Levels
from burstsr.core.cfa import BAYER_ORDERS, NAMES, Cfa
from burstsr.core.errors import BurstError, CfaError, SettingsError
from burstsr.core.noise import Noise
from burstsr.core.sensor import mean_sample, red_site, samples
from burstsr.noise.stage import estimate
from burstsr.simulate.sensor import quantised, with_noise

PERIODS = {"RGGB": (2, 2), "quad GRBG": (4, 4), "X-Trans": (6, 6), "mono": (1, 1)}
SHAPE = (48, 60)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_an_array_and_the_type_say_the_same(name):
    cfa = Cfa.parse(name)
    assert cfa == Cfa.of(name) == Cfa.of(cfa) == Cfa.of(np.array(cfa)) == Cfa.from_array(cfa.channel_map((24, 24)))
    assert hash(cfa) == hash(Cfa.parse(name)) and str(cfa) == cfa.name == name
    assert (cfa.is_bayer, cfa.is_mono) == (name in BAYER_ORDERS, name == "mono")
    assert len({Cfa.parse(other) for other in NAMES}) == len(NAMES)


@pytest.mark.parametrize(("name", "period"), PERIODS.items())
def test_sites_channels_and_shares_are_those_of_the_period(name, period):
    cfa = Cfa.parse(name)
    seen = cfa.channel_map(SHAPE)
    assert cfa.period == period and seen.dtype == np.uint8 and seen.shape == SHAPE
    again = np.full(SHAPE, 255)
    for channel in range(len(cfa.channels)):
        for y, x in cfa.sites(channel):
            again[y :: period[0], x :: period[1]] = channel
    assert np.array_equal(again, seen)
    assert np.allclose(cfa.share, [(seen == c).mean() for c in range(len(cfa.channels))]) and cfa.share.sum() == pytest.approx(1)
    assert [cfa.channel(y, x) for y, x in ((0, 0), (7, 5), (25, 31))] == [cfa[y, x] for y, x in ((0, 0), (7, 5), (25, 31))] == [*seen[[0, 7, 25], [0, 5, 31]]]


@pytest.mark.parametrize("name", PERIODS)
def test_a_crop_has_the_pattern_it_begins_with(name):
    cfa = Cfa.parse(name)
    for dy, dx in ((0, 1), (1, 0), (3, 5), (-1, 2)):
        part = cfa.shifted(dy, dx)
        assert np.array_equal(part.channel_map((12, 13)), cfa.channel_map((12, 13), (dy, dx)))
        assert part.shifted(-dy, -dx) == cfa and Cfa.parse(part.name) == part


def test_each_row_and_column_of_x_trans_has_all_colours():
    pattern = np.array(Cfa.parse("X-Trans"))
    assert all(set(line) == {0, 1, 2} for line in [*pattern, *pattern.T])
    assert [np.count_nonzero(pattern == c) for c in range(3)] == [8, 20, 8]


def test_a_quad_bayer_cell_is_a_bayer_cell_of_twice_the_size():
    assert np.array_equal(np.array(Cfa.parse("quad GBRG"))[::2, ::2], np.array(Cfa.parse("GBRG")))
    assert np.array_equal(np.array(Cfa.parse("quad GBRG"))[1::2, 1::2], np.array(Cfa.parse("GBRG")))


@pytest.mark.parametrize(
    "given", ["", "RGBW", "rggb", "RG", "RG/G", "RG/RG", "quad", "quad RGBW", [], [0, 1], [[0.5, 1], [1, 2]], [[7, 1], [1, 2]], [[-1, 1], [1, 2]], [[0, 1]]]
)
def test_what_is_no_pattern_is_refused(given):
    with pytest.raises(SettingsError, match="cfa must"):
        Cfa.of(given)


def test_descriptions_take_names_and_arrays():
    frame = frame_of(np.full((32, 32), 0.3))
    assert replace(frame.info, cfa="BGGR").cfa == replace(frame.info, cfa=np.array([[2, 1], [1, 0]], np.uint8)).cfa == Cfa.parse("BGGR")
    mosaic = np.zeros((32, 32), np.uint16)
    assert len({Burst.from_arrays([mosaic], cfa) for cfa in ("GRBG", Cfa.parse("GRBG"), [[1, 0], [2, 1]])}) == 1
    assert np.array_equal(np.asarray(frame.info.cfa), [[0, 1], [1, 2]]) and frame.info.cfa[0, 1] == 1  # as when it was an array


@pytest.mark.parametrize("rows", ["GGGGGG/GRGGBG/GGGGGG", "RRRR/RRRR/GGGG/BBBB/GGGG/GGGG"])
def test_a_pattern_with_gaps_is_refused_with_those_that_are_supported(rows):
    burst = Burst.from_arrays([np.full((48, 48), 500 + i, np.uint16) for i in range(3)], Cfa.parse(rows))
    with pytest.raises(CfaError, match="every colour in all 4 x 4 samples, as RGGB, BGGR.* do, not"):
        burstsr.super_resolve(burst)
    assert issubclass(CfaError, BurstError)


def test_fast_paths_say_what_they_require():
    Cfa.parse("GBRG").require_bayer("a test")
    for name in ("GBRG", "mono"):
        Cfa.parse(name).require_2x2("a test")
    for name, require in (("mono", Cfa.require_bayer), ("X-Trans", Cfa.require_bayer), ("X-Trans", Cfa.require_2x2), ("quad RGGB", Cfa.require_2x2)):
        with pytest.raises(CfaError, match=f"a test: the CFA must .*RGGB.*not {name}"):
            require(Cfa.parse(name), "a test")
    for order, site in zip(BAYER_ORDERS, (0, 3, 1, 2), strict=True):
        assert red_site(frame_of(np.full((32, 32), 0.3), cfa=order)) == site
    with pytest.raises(CfaError):
        red_site(frame_of(np.full((48, 48), 0.3), cfa="X-Trans"))


def test_levels_of_any_period_count_per_site(rng):
    black = rng.uniform(100, 900, (6, 6))
    frame = frame_of(rng.uniform(0, 1, SHAPE), cfa="X-Trans")
    frame = replace(frame, info=replace(frame.info, levels=Levels(black, 16383.0)))
    tiled = np.tile(black, (8, 10))
    expected = (frame.mosaic - tiled) / (16383.0 - tiled)
    assert np.allclose(samples(frame.mosaic, frame.info.levels), expected, atol=1e-6)
    assert mean_sample(frame) == pytest.approx(expected.mean(), abs=1e-6)


@pytest.mark.parametrize("name", PERIODS)
def test_the_noise_of_every_channel_is_found(name, rng):
    cfa = Cfa.parse(name)
    noise = Noise(*(np.array(v[: len(cfa.channels)]) for v in ([4e-4, 1e-4, 8e-4], [4e-6, 1e-6, 9e-6])))
    clean = np.broadcast_to(np.linspace(0.02, 0.7, 768), (384, 768)).astype(np.float32)
    frame = frame_of(clean, cfa=name)
    found = estimate(replace(frame, mosaic=quantised(with_noise(clean, noise, cfa, 0.0, rng), frame.info.levels)))
    level = np.array([0.1, 0.5])
    for c in range(len(cfa.channels)):
        assert found.variance(level, c) == pytest.approx(noise.variance(level, c), rel=0.2)
