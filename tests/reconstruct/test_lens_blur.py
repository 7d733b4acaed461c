"""The lens's blur, measured in images whose spectra are known."""

import cv2
import numpy as np
import pytest

from burstsr.core.noise import Noise
from burstsr.reconstruct.lens_blur import LensBlur, lens_blur

SCALE, SAMPLES = 2.0, 1.6
QUIET = Noise(np.full(3, 1e-5), np.full(3, 1e-8))


def scene(seed, softness_px=0.0, side=240):
    """An image (3, side, side) whose amplitudes fall as 1 / frequency, blurred by a Gaussian, raw pixels."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    f[0, 0] = np.inf
    root = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) / f, (side, side))
    root = 0.5 + 0.1 * root / root.std()
    plane = np.clip(root, 0.05, 1).astype(np.float32) ** 2
    if softness_px:
        plane = cv2.GaussianBlur(plane, (0, 0), softness_px * SCALE)
    return np.stack([plane] * 3)


def measured(softness_px, noise=QUIET):
    return lens_blur([scene(seed, softness_px) for seed in range(4)], noise, SCALE, SAMPLES)


def test_a_sharp_scene_is_left_alone():
    assert measured(0.0).used_px == 0


@pytest.mark.parametrize("sigma", [0.3, 0.4])
def test_a_lens_is_corrected_in_part(sigma):
    found = measured(sigma)
    assert found.sigma_px == pytest.approx(sigma, abs=0.12)
    assert 0.1 <= found.used_px < sigma


def test_a_scene_softer_than_lenses_is_left_alone():
    assert measured(1.0).used_px == 0


def test_one_soft_part_does_not_count():
    parts = [scene(seed, 0.0) for seed in range(3)] + [scene(3, 0.8)]
    assert lens_blur(parts, QUIET, SCALE, SAMPLES).used_px == 0


def test_what_noise_hides_is_not_corrected():
    assert measured(0.4, Noise(np.full(3, 3e-2), np.full(3, 1e-3))).used_px == 0


def test_a_single_part_tells_nothing():
    assert lens_blur([scene(0)], QUIET, SCALE, SAMPLES) is None


def test_what_is_used_never_exceeds_what_was_measured():
    for sigma in np.linspace(0, 1, 21):
        for error in (0.0, 0.05, 0.2):
            assert 0 <= LensBlur(sigma, error).used_px <= max(sigma - error, 0)
