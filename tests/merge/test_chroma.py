"""Colour differences smoothed: laws."""

import numpy as np
import pytest

from burstsr.core.noise import Noise
from burstsr.merge import denoise_chroma

NOISE = Noise.of_iso(800)
NEUTRAL = np.array([0.5, 1.0, 0.7])


def denoised(image, weight=4.0, significance=12.0, scale=2.0, neutral=NEUTRAL):
    out = image.astype(np.float32)
    denoise_chroma(out, np.full_like(out, weight), NOISE, neutral, scale, significance)
    return out


def luma_of(image):
    return np.sqrt(image / NEUTRAL) @ np.array([0.25, 0.5, 0.25])


def test_constant_stays(rng):
    image = np.broadcast_to(np.array([0.3, 0.2, 0.6]), (600, 40, 3))
    np.testing.assert_allclose(denoised(image), image, atol=2e-5)


def test_off_leaves_every_bit(rng):
    image = rng.uniform(0, 1, (64, 64, 3)).astype(np.float32)
    np.testing.assert_array_equal(denoised(image, significance=0.0), image)


def test_grey_of_any_texture_stays_grey(rng):
    grey = rng.uniform(0.05, 0.9, (80, 80, 1)) * NEUTRAL
    np.testing.assert_allclose(denoised(grey), grey, atol=1e-4)


def test_colour_noise_falls_and_luma_stays(rng):
    flat = np.full((128, 128, 3), 0.3) * NEUTRAL
    noisy = flat + rng.standard_normal(flat.shape) * np.sqrt(NOISE.variance(0.2, 1) * 0.5 / 4)
    out = denoised(noisy)
    difference = lambda p: (p[..., 0] / NEUTRAL[0] - p[..., 1])[16:-16, 16:-16].std()  # noqa: E731
    assert difference(out) < 0.35 * difference(noisy)
    np.testing.assert_allclose(out.mean((0, 1)), noisy.mean((0, 1)), rtol=2e-3)


def test_a_colour_edge_stays():
    image = np.full((64, 64, 3), (0.4, 0.1, 0.1), np.float32)
    image[:, 32:] = (0.05, 0.2, 0.4)
    assert np.abs(denoised(image, weight=50.0) - image).max() < 0.03


def test_strips_leave_no_seams(rng):
    image = rng.uniform(0.1, 0.6, (900, 24, 3)).astype(np.float32)
    whole, part = denoised(image), denoised(image[200:700])
    np.testing.assert_allclose(whole[250:650], part[50:450], atol=1e-5)


@pytest.mark.parametrize("iso", [400, 1600])
def test_noise_around_black_keeps_its_mean(iso, rng):
    noise = Noise.of_iso(iso)
    dark = (rng.standard_normal((256, 256, 3)) * np.sqrt(noise.beta[0] * 0.5 / 4)).astype(np.float32)
    out = dark.copy()
    denoise_chroma(out, np.full_like(out, 4.0), noise, NEUTRAL, 2.0, 12.0)
    assert np.abs(out.mean((0, 1)) - dark.mean((0, 1))).max() < 0.03 * dark.std()


def test_a_colour_edge_without_luma_does_not_bleed(rng):
    red, blue = np.array([0.30, 0.25, 0.10]), np.array([0.12, 0.25, 0.305])  # roots of the same luma
    y, x = np.mgrid[:96, :96]
    share = np.clip((x - 47.5) / 2 + 0.5, 0, 1)[..., None]
    truth = ((1 - share) * red + share * blue) * NEUTRAL
    noisy = truth + rng.standard_normal(truth.shape) * np.sqrt(NOISE.variance(0.2, 1) * 0.5 / 10)
    beside = np.s_[16:-16, 40:56]
    assert np.abs((denoised(noisy, weight=10.0) - truth)[beside].mean(0)).max() < 0.01


def test_colours_that_alternate_are_removed():
    y, x = np.mgrid[:96, :96]
    wrong = 0.02 * ((y + x) % 2 * 2 - 1)
    image = (0.3 + wrong[..., None] * np.array([1.0, -0.5, 1.0])) * NEUTRAL
    difference = denoised(image, weight=20.0)[16:-16, 16:-16] / NEUTRAL
    assert (difference[..., 0] - difference[..., 1]).std() < 0.2 * (wrong * 1.5).std()
