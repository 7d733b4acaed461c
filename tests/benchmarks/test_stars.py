"""The star chart's ruler."""

import numpy as np
import pytest

from benchmarks.stars import doubled, find_stars, fit_star, green_above_background, measure


def field(places, sigma, size=400, noise=1e-4, seed=0):
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    picture = np.full((size, size), 0.02) + noise * generator.standard_normal((size, size))
    for cy, cx, height in places:
        picture += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma**2))
    return np.repeat(picture[..., None], 3, 2).astype(np.float32)


PLACES = [(100.3, 120.7, 0.3), (250.8, 90.2, 0.1), (300.0, 310.5, 0.05), (180.4, 260.1, 0.2)]


@pytest.mark.parametrize("sigma", [1.5, 2.0, 2.6])
def test_width_and_place_are_measured(sigma):
    flat = green_above_background(field(PLACES, sigma))
    stars = find_stars(flat, 1e-4)
    assert len(stars) == 4
    for star in stars:
        assert min(np.hypot(star.y - y, star.x - x) for y, x, _ in PLACES) < 0.05
        assert star.fwhm == pytest.approx(2.3548 * sigma, rel=0.06)


def test_a_doubled_star_is_seen():
    single, double = (green_above_background(field(p, 1.6)) for p in ([(200, 200, 0.2)], [(200, 200, 0.2), (200, 206, 0.15)]))
    for flat, expected in ((single, False), (double, True)):
        star = fit_star(flat, 200, 200)
        assert star is not None
        assert (doubled(flat, star) > 0.3) == expected


def test_less_noise_and_lost_stars_are_counted():
    before, after = field(PLACES, 2.0, noise=4e-4), field(PLACES[:3], 2.0, noise=1e-4, seed=1)
    figures = measure(before, after, 2.0)
    assert figures["stars"] == 4 and figures["lost"] == 1 and figures["doubled"] == 0
    assert figures["noise_ratio"] == pytest.approx(4, rel=0.1)
    assert figures["fwhm_merged_px"] == pytest.approx(figures["fwhm_single_px"], rel=0.05)
