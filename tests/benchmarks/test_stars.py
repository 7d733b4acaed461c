"""The star chart's ruler."""

import json

import numpy as np
import pytest

from benchmarks.stars import doubled, find_stars, fit_star, green_above_background, main, measure, star_rings
from benchmarks.stars_rings import rings, sky_noise
from burstsr.cli.simulated_files import write_simulated
from burstsr.simulate import SimulateSettings, simulate_burst


def field(places, sigma, size=400, noise=1e-4, seed=0):
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = np.full((size, size), 0.02) + noise * generator.standard_normal((size, size))
    for cy, cx, height in places:
        image += height * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma**2))
    return np.repeat(image[..., None], 3, 2).astype(np.float32)


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


def with_rings(depth, sigma=2.0):
    """Stars with a dark ring 2.5 deviations out, `depth` of the star's height."""
    image = field(PLACES, sigma)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for cy, cx, height in PLACES:
        image -= (depth * height * np.exp(-((np.hypot(y - cy, x - cx) - 2.5 * sigma) ** 2) / 2)).astype(np.float32)[..., None]
    return image


def test_a_dark_ring_is_found_and_none_where_there_is_none():
    found = star_rings({"single": field(PLACES, 2.0), "dark": with_rings(0.2)}, 2.0)
    single, dark = found["single"], found["dark"]
    assert single["stars"] == dark["stars"] == 4
    assert single["peak_worst"] > -0.01 and single["noise_worst"] > -6
    expected = np.exp(-0.5 * 2.5**2) - 0.2  # where the ring is darkest, of the star without one
    assert dark["peak_median"] == pytest.approx(expected, abs=0.03) and dark["noise_median"] < -50
    assert dark["radius_px"] == pytest.approx(2.5 * 2.0, abs=1.5)


def test_rings_of_a_pure_star_without_noise():
    flat = field(PLACES, 2.0, noise=0.0)[..., 1]
    assert rings(flat, [(y, x) for y, x, _ in PLACES], 4.7)["peak_worst"] > -1e-4
    assert rings(flat, [], 4.7)["stars"] == 0


def test_noise_of_an_empty_sky_is_that_of_a_mean():
    sky = np.random.default_rng(0).normal(0, 1, (300, 300)).astype(np.float32)
    noise = sky_noise(sky, [], 4.0)
    ring = 2 * np.pi * (10.5)
    assert noise[10] == pytest.approx(1 / np.sqrt(ring), rel=0.25)
    assert sky_noise(sky[:20, :20], [], 4.0) is None


def test_command_line(tmp_path, capsys):
    y, x = np.mgrid[:300, :300]
    sky = np.full((300, 300), 0.25)
    for cy, cx in ((120, 130), (190, 120), (150, 200)):
        sky += 0.6 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.5**2))
    made = simulate_burst(np.repeat(sky[..., None], 3, 2), SimulateSettings(frames=3, iso=100), np.random.default_rng(0), "sky")
    write_simulated(tmp_path / "sky", made, 0)
    main([str(tmp_path / "sky")])
    found = json.loads(capsys.readouterr().out)
    assert set(found["rings"]) == {"single", "fast", "best"}
    assert found["fast"]["stars"] == found["best"]["stars"] == 3
    main([str(tmp_path / "sky"), "--mode", "fast"])
    found = json.loads(capsys.readouterr().out)
    assert set(found["rings"]) == {"single", "fast"} and "best" not in found
