"""The sensor against laws of optics and of noise."""

from __future__ import annotations

import numpy as np
import pytest

from burstsr.core.burst import Levels
from burstsr.core.cfa import BAYER_ORDERS, Cfa
from burstsr.core.noise import Noise
from burstsr.simulate import FrameMotion, SimulateSettings, flow_at, simulate_burst
from burstsr.simulate.scene import apply_psf, gaussian_psf
from burstsr.simulate.sensor import expose, margin_for, quantised

QUIET = Noise(np.zeros(3), np.zeros(3))
MOTIONS = (
    FrameMotion(),
    FrameMotion(0.37, -0.61),
    FrameMotion(-3.14, 2.72),
    FrameMotion(1.23, 0.45, np.deg2rad(0.3)),
    FrameMotion(-0.7, 0.2, np.deg2rad(-0.3), 0.004, -0.006, 1e-6),
)


def grey(plane):
    return np.repeat(plane[..., None], 3, axis=-1).astype(np.float32)


def clean_frames(image, scale, motions, blur=0.0, cfa="RGGB"):
    height, width = (round(length / scale) for length in image.shape[:2])
    margin = margin_for(motions, (height, width), scale)
    planes = apply_psf(image, blur * scale, None, margin)
    return [expose(planes, margin, scale, motion, (height, width), Cfa.parse(cfa)).astype(np.float64) for motion in motions]


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.3, 4.0])
def test_point_source_is_where_the_motion_says(scale):
    """Motion recovered to 0.005 px, rotation and rolling shutter included, from frames that went through noise-free digitising.

    The lens is wide enough that neither the frame's pixels nor the truth's alias: else a centre of mass is no measure of place.
    Measured worst: 0.0031 px (scale 1, rolling shutter), 0.0013 px elsewhere.
    """
    height, width = 64, 80
    places = np.array([[y, x] for y in (16, 47) for x in (15, 40, 64)])
    scene = np.zeros((round(scale * height), round(scale * width)))
    pixels = np.rint((places + 0.5) * scale - 0.5).astype(int)
    scene[pixels[:, 0], pixels[:, 1]] = 5.0 * scale**2
    black = ((0.0, 0.0), (0.0, 0.0))
    settings = SimulateSettings(frames=len(MOTIONS), scale=scale, noise=QUIET, motion=MOTIONS, blur_sigma_px=1.5, bits=16, black_dn=black, linear=True)
    burst = simulate_burst(grey(scene), settings, np.random.default_rng(0)).burst
    assert burst.info.shape == (height, width)
    true = (pixels + 0.5) / scale - 0.5
    worst = 0.0
    for frame, motion in zip(burst, MOTIONS, strict=True):
        expected = true + flow_at(motion, true, (height, width))
        for place in expected:
            top, left = (round(v) - 10 for v in place)
            weights = frame.mosaic[top : top + 21, left : left + 21].astype(np.float64)
            y, x = np.mgrid[top : top + 21, left : left + 21]
            found = np.array([(weights * y).sum(), (weights * x).sum()]) / weights.sum()
            worst = max(worst, np.abs(found - place).max())
    assert frame.mosaic.max() < 65535
    assert worst < 0.005


@pytest.mark.parametrize("scale", [1.0, 1.7, 2.0, 4.0])
def test_energy_is_conserved(scale):
    scene = np.zeros((round(40 * scale), round(40 * scale)), np.float32)
    scene[scene.shape[0] // 2, scene.shape[1] // 2] = 3.0
    for blur in (0.0, 0.7):
        for motion, frame in zip(MOTIONS, clean_frames(grey(scene), scale, MOTIONS, blur), strict=True):
            rigid = motion.dy_per_row == 0
            turned = motion.rotation_rad != 0
            tolerance = 2e-6 if not turned else 3e-3 if rigid and blur == 0 else 1e-4 if rigid else 1e-2  # a rolling shutter stretches the image
            assert frame.sum() == pytest.approx(3.0 / scale**2, rel=tolerance)


def test_constant_in_constant_out():
    for frame in clean_frames(np.full((51, 68, 3), 0.37, np.float32), 1.7, MOTIONS, 0.5):
        np.testing.assert_allclose(frame, 0.37, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1.7, 2.0, 3.0])
def test_sample_is_the_mean_over_the_pixels_area(scale):
    """Against brute force: 100 x 100 points in every raw pixel, each looking up the truth pixel that it falls into."""
    rng, motion, count = np.random.default_rng(3), FrameMotion(0.31, -0.44, np.deg2rad(0.3)), 100
    scene = rng.uniform(0, 1, (round(24 * scale), round(24 * scale), 3)).astype(np.float32)
    (frame,) = clean_frames(scene, scale, (motion,), cfa="GBRG")
    inside = (np.arange(count) + 0.5) / count - 0.5
    for y, x in [(4, 5), (11, 12), (12, 18), (19, 7), (18, 18)]:
        q = (x + inside) + 1j * (y + inside)[:, None]
        p = (q - (11.5 + 11.5j) - (-0.44 + 0.31j)) * np.exp(-1j * motion.rotation_rad) + (11.5 + 11.5j)
        rows, columns = (np.floor((v + 0.5) * scale).astype(int) for v in (p.imag, p.real))
        assert frame[y, x] == pytest.approx(scene[rows, columns, Cfa.parse("GBRG").channel(y, x)].mean(), abs=0.01)


@pytest.mark.parametrize("cfa", BAYER_ORDERS)
def test_null_values_give_the_truth_itself(cfa):
    """No motion, noise, blur or scale: the CFA samples of the truth, quantised, to the last bit."""
    image = np.random.default_rng(0).uniform(0, 1.1, (32, 48, 3)).astype(np.float32)
    black = ((512.25, 510.5), (511.75, 512.0))
    settings = SimulateSettings(frames=2, scale=1.0, noise=QUIET, motion="tripod", blur_sigma_px=0, cfa=cfa, black_dn=black, linear=True)
    simulated = simulate_burst(image, settings, np.random.default_rng(0))
    np.testing.assert_array_equal(simulated.truth, image)
    y, x = np.mgrid[:32, :48]
    sampled = image[y, x, Cfa.parse(cfa)[y % 2, x % 2]].astype(np.float64)
    site_black = np.array(black)[y % 2, x % 2]
    expected = np.rint(np.minimum(sampled, 1) * (16383 - site_black) + site_black)
    for frame in simulated.burst:
        assert frame.info.cfa_order == cfa
        assert frame.mosaic.dtype == np.uint16
        np.testing.assert_array_equal(frame.mosaic, expected)


@pytest.mark.parametrize("level", np.linspace(0, 0.88, 12))
def test_mean_and_variance_are_those_of_the_model(level):
    noise = Noise(np.array([1e-3, 5e-4, 2e-3]), np.array([1e-5, 4e-6, 2e-5]))
    settings = SimulateSettings(frames=4, scale=1.0, noise=noise, motion="tripod", bits=16, black_dn=((4096.25, 4096), (4095.5, 4096)), linear=True)
    burst = simulate_burst(np.full((192, 192, 3), level, np.float32), settings, np.random.default_rng(5)).burst
    scale, black, cfa = burst.info.levels.scale(), burst.info.levels.black, burst.info.cfa
    for site in np.ndindex(2, 2):
        samples = np.concatenate([(frame.mosaic[site[0] :: 2, site[1] :: 2] - black[site]) * scale[site] for frame in burst]).ravel()
        variance = float(noise.variance(level, cfa[site])) + scale[site] ** 2 / 12
        assert samples.mean() == pytest.approx(level, abs=5 * np.sqrt(variance / samples.size))
        assert samples.var() == pytest.approx(variance, rel=5 * np.sqrt(2.5 / samples.size))


def test_saturation_is_the_white_level_and_black_is_a_floor():
    levels = Levels(np.full((2, 2), 64.0), 1023.0)
    samples = np.array([[-1.0, 0.0], [1.0, 7.0]])
    np.testing.assert_array_equal(quantised(samples, levels), [[0, 64], [1023, 1023]])


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_bits_set_the_levels(bits):
    settings = SimulateSettings(frames=1, bits=bits)
    burst = simulate_burst(np.ones((32, 32, 3)), settings, np.random.default_rng(0)).burst
    assert burst.info.levels.white == 2**bits - 1
    assert burst.frames[0].mosaic.max() == 2**bits - 1


def test_row_noise_is_shared_by_a_row():
    settings = SimulateSettings(frames=1, noise=QUIET, motion="tripod", row_noise=0.01, linear=True)
    burst = simulate_burst(np.full((1024, 64, 3), 0.5, np.float32), settings, np.random.default_rng(0)).burst
    mosaic = burst.frames[0].mosaic
    assert (mosaic == mosaic[:, :1]).all()
    assert mosaic[:, 0].std() * burst.info.levels.scale()[0, 0] == pytest.approx(0.01, rel=0.15)


def test_hot_pixels_stay_where_they_are():
    settings = SimulateSettings(frames=3, noise=QUIET, hot_pixels=5, linear=True)
    simulated = simulate_burst(np.full((64, 64, 3), 0.2, np.float32), settings, np.random.default_rng(0))
    for frame in simulated.burst:
        places = np.argwhere(frame.mosaic > np.median(frame.mosaic) + 500)
        assert {tuple(p) for p in places} == {tuple(p) for p in simulated.hot_pixels}


@pytest.mark.parametrize("sigma", [0.05, 0.4, 1.3])
def test_lens_has_the_stated_width(sigma):
    weights = gaussian_psf(sigma)
    k = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights * k**2).sum() == pytest.approx(sigma**2, rel=1e-6)


def test_measured_psf_takes_the_gaussians_place():
    image = np.random.default_rng(0).uniform(0, 1, (40, 40, 3)).astype(np.float32)
    line = gaussian_psf(0.8)
    np.testing.assert_allclose(apply_psf(image, 5.0, 7 * np.outer(line, line), 4), apply_psf(image, 0.8, None, 4), atol=1e-5)


@pytest.mark.parametrize("cfa", ["quad GRBG", "X-Trans", "mono"])
def test_other_patterns_show_the_truth_site_by_site(cfa):
    image = np.random.default_rng(3).uniform(0.1, 0.9, (48, 60, 3)).astype(np.float32)
    channels = len(Cfa.parse(cfa).channels)
    quiet = Noise(np.full(channels, 1e-12), np.full(channels, 1e-14))
    settings = SimulateSettings(frames=2, scale=1.0, noise=quiet, motion="tripod", blur_sigma_px=0, cfa=cfa, linear=True)
    simulated = simulate_burst(image, settings, np.random.default_rng(0))
    info = simulated.burst.info
    assert info.cfa == Cfa.parse(cfa) and simulated.truth.shape == (48, 60, channels)
    y, x = np.mgrid[:48, :60]
    sampled = simulated.truth[y, x, info.cfa.channel_map((48, 60))]
    seen = (simulated.burst.frames[1].mosaic - info.levels.black[0, 0]) / (info.levels.white - info.levels.black[0, 0])
    np.testing.assert_allclose(seen, sampled, atol=1e-4)
    np.testing.assert_array_equal(simulated.truth[..., channels // 2], image[..., 1])
