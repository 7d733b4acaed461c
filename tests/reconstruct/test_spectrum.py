"""The bend of a spectrum gives back the blur that made it."""

import cv2
import numpy as np
import pytest

from burstsr.reconstruct.spectrum import blur_from_spectrum, radial_power

SHAPE = (320, 384)


def scene(rng, gradient=2.0, sigma_px=0.0):
    """A plane whose power falls as f^-slope, seen by a lens."""
    f = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in SHAPE), indexing="ij"))
    f[0, 0] = 1
    spectrum = np.fft.fft2(rng.standard_normal(SHAPE)) * f ** (-gradient / 2) * np.exp(-2 * (np.pi * sigma_px * f) ** 2)
    plane = np.fft.ifft2(spectrum).real
    return 0.1 * plane / plane.std()


def test_white_noise_has_its_variance_as_power(rng):
    f, power = radial_power(0.3 * rng.standard_normal(SHAPE))
    assert power[10:] == pytest.approx(0.09, rel=0.15)
    assert (np.diff(f) > 0).all() and f[-1] < 0.5


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("gradient", [1.7, 2.3])
@pytest.mark.parametrize("sigma", [0.25, 0.5, 0.8])
def test_blur_comes_back(sigma, gradient, scale, rng):
    found, error = blur_from_spectrum(scene(rng, gradient, sigma_px=sigma * scale), 1e-12, scale)
    assert found == pytest.approx(sigma, abs=max(0.06, 2 * error))
    assert 0 < error < 0.15


def test_a_sharp_scene_has_no_lens(rng):
    assert blur_from_spectrum(scene(rng), 1e-12, 2.0)[0] < 0.15


def test_noise_makes_it_less_certain(rng):
    plane = scene(rng, sigma_px=0.8)
    errors = [blur_from_spectrum(plane + np.sqrt(v) * rng.standard_normal(SHAPE), v, 2.0)[1] for v in (1e-10, 1e-5, 1e-3)]
    assert errors == sorted(errors) and errors[-1] > 2 * errors[0]


def test_brightness_and_contrast_do_not_matter(rng):
    plane = scene(rng, sigma_px=0.8)
    a, b = blur_from_spectrum(plane, 1e-6, 2.0), blur_from_spectrum(3 * plane + 5, 9e-6, 2.0)
    assert a == pytest.approx(b, rel=1e-6)


def test_nothing_to_see_is_what_lenses_usually_are(rng):
    sigma, error = blur_from_spectrum(1e-3 * rng.standard_normal(SHAPE), 1.0, 2.0)
    assert sigma == pytest.approx(0.4, abs=0.01) and error > 0.2
    smooth = cv2.GaussianBlur(rng.standard_normal(SHAPE), (0, 0), 6)
    assert np.isfinite(blur_from_spectrum(smooth, 1e-3, 2.0)).all()
