"""The predicted second step: nearer to the truth, in its colours, without overshoot, and nothing where frames disagree."""

import cv2
import numpy as np
import pytest

from burstsr.merge import add_predicted_step
from burstsr.settings import MergeSettings

SETTINGS = MergeSettings()
SCALE = 2.0
TINT = np.array([0.6, 1.0, 0.8], np.float32)


def blurred(image):
    return cv2.GaussianBlur(image, (0, 0), 0.6 * SCALE)


def after_first_step(truth):
    """Return the image and the residual of a noise-free burst whose merge blurs once and whose pixels blur once."""
    merged = blurred(truth)
    residual = blurred(truth - merged)
    return merged + np.float32(SETTINGS.step_size) * residual, residual


def stepped(image, residual, robustness=1.0, settings=SETTINGS):
    out = image.copy()
    add_predicted_step(out, residual.copy(), np.ones(image.shape[:2], np.float32), np.full((20, 24), robustness, np.float32), settings, SCALE)
    return out


@pytest.fixture
def scene(rng):
    """Return a tinted scene of patches and lines, (150, 170, 3): three strips, the last one incomplete."""
    luma = cv2.resize(rng.uniform(0.1, 0.6, (30, 34)).astype(np.float32), (170, 150), interpolation=cv2.INTER_NEAREST)
    luma[40:44, 10:90] = 0.7
    return luma[..., None] * TINT


def error(image, truth):
    return float(np.sqrt(np.mean((image - truth)[8:-8, 8:-8] ** 2)))


def test_it_comes_nearer_to_the_truth(scene):
    image, residual = after_first_step(scene)
    assert error(stepped(image, residual), scene) < 0.95 * error(image, scene)


def test_one_hue_stays_one_hue(scene):
    image, residual = after_first_step(scene)
    np.testing.assert_allclose(stepped(image, residual) / TINT, stepped(image, residual)[..., 1:2] * np.ones(3), atol=2e-5)


def test_red_noise_of_the_residual_colours_nothing(scene, rng):
    image, residual = after_first_step(scene)
    noisy = residual.copy()
    noisy[..., 0] += rng.normal(0, 0.02, residual.shape[:2])
    out = stepped(image, noisy) / TINT
    assert np.abs(out[..., 0] - out[..., 1]).max() < 1e-4


@pytest.mark.parametrize("times", [1, 5])
def test_overshoot_is_no_more_than_the_local_mean_that_is_given_back(scene, times):
    image, residual = after_first_step(scene)
    out, kernel = stepped(image, times * residual), np.ones((3, 3), np.uint8)
    beyond = max((out - cv2.dilate(image, kernel)).max(), (cv2.erode(image, kernel) - out).max())
    assert beyond < 0.15 * np.abs(out - image).max()


@pytest.mark.parametrize("robustness", [0.0, 0.5, 0.79])
def test_nothing_is_added_where_frames_disagree(scene, robustness):
    image, residual = after_first_step(scene)
    np.testing.assert_allclose(stepped(image, residual, robustness), image, atol=1e-7)


def test_nothing_is_added_without_a_first_step_or_a_residual(scene):
    image, residual = after_first_step(scene)
    np.testing.assert_array_equal(stepped(image, residual, settings=MergeSettings(step_size=0.0)), image)
    np.testing.assert_array_equal(stepped(image, np.zeros_like(residual)), image)


def test_a_star_keeps_its_flux(scene):
    y, x = np.mgrid[:150, :170]
    star = (0.1 + 0.5 * np.exp(-((y - 75.3) ** 2 + (x - 80.6) ** 2) / (2 * 1.5**2))).astype(np.float32)[..., None] * TINT
    image, residual = after_first_step(star)
    out = stepped(image, residual)
    flux = (image - image[0, 0])[55:96, 60:101].sum((0, 1))
    np.testing.assert_allclose((out - image)[55:96, 60:101].sum((0, 1)) / flux, 0, atol=2e-3)


def test_rows_and_columns_are_treated_alike(scene):
    image, residual = after_first_step(scene)
    turned = stepped(np.ascontiguousarray(image.transpose(1, 0, 2)), np.ascontiguousarray(residual.transpose(1, 0, 2)))
    np.testing.assert_allclose(turned.transpose(1, 0, 2), stepped(image, residual), atol=2e-6)
