"""Metrics against cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from burstsr.core.burst import Colour
from burstsr.core.errors import SettingsError
from burstsr.quality import image_error

PLAIN = Colour(np.ones(3))


@pytest.fixture
def truth():
    return np.random.default_rng(0).uniform(0.1, 0.8, (40, 50, 3)).astype(np.float32)


def test_an_image_is_its_own_equal(truth):
    assert image_error.psnr_linear(truth, truth) == image_error.psnr_srgb(truth, truth, PLAIN) == float("inf")
    assert image_error.ssim(truth, truth, PLAIN) == pytest.approx(1.0)
    assert image_error.chroma_error(truth, truth, PLAIN) == 0


def test_known_errors_have_known_decibels(truth):
    assert image_error.psnr_linear(truth + np.float32(0.01), truth) == pytest.approx(40, abs=1e-3)
    dark = np.full((20, 20, 3), 0.001, np.float32)  # on the curve's straight part, slope 12.92
    assert image_error.psnr_srgb(dark + np.float32(0.001), dark, PLAIN) == pytest.approx(-20 * np.log10(0.01292), abs=1e-3)


def test_border_is_left_out(truth):
    spoilt = truth.copy()
    spoilt[:3], spoilt[:, -3:] = 9, 9
    assert image_error.psnr_linear(spoilt, truth, border=3) == float("inf")
    assert image_error.psnr_linear(spoilt, truth, border=2) < 20


def test_display_follows_srgb():
    shown = image_error.display_srgb(np.array([[[0.0, 0.214041, 1.0]]]), PLAIN)
    np.testing.assert_allclose(shown[0, 0], [0, 0.5, 1], atol=1e-5)


def test_display_balances_and_turns_white_to_white():
    colour = Colour(np.array([0.5, 1.0, 0.625]), np.array([[0.4, 0.3, -0.1], [-0.5, 1.3, 0.2], [-0.1, 0.2, 0.6]]))
    grey = image_error.display_srgb(np.array([[[0.25, 0.5, 0.3125]]]), colour)
    assert np.ptp(grey) < 1e-6
    np.testing.assert_allclose(image_error.display_srgb(np.ones((1, 1, 3)), colour), 1, atol=1e-6)


def test_ssim_falls_with_noise(truth):
    rng = np.random.default_rng(1)
    values = [image_error.ssim(truth + sigma * rng.standard_normal(truth.shape), truth, PLAIN) for sigma in (0.01, 0.05, 0.2)]
    assert 1 > values[0] > values[1] > values[2] > 0


def test_chroma_error_sees_colour_and_not_brightness():
    low, high = np.full((4, 4, 3), 0.2, np.float32), np.full((4, 4, 3), 0.4, np.float32)
    assert image_error.chroma_error(low, high, PLAIN) == pytest.approx(0, abs=1e-6)
    black, blue = np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 3), np.float32)
    blue[..., 2] = 1
    assert image_error.chroma_error(blue, black, PLAIN) == pytest.approx(np.sqrt((0.5**2 + (0.114 / 1.402) ** 2) / 2), rel=1e-5)


def test_flow_error_is_a_length():
    true = np.zeros((100, 2))
    flow = np.tile([0.03, 0.04], (100, 1))
    flow[:10] *= 10
    error = image_error.flow_error(flow, true)
    assert error.median == pytest.approx(0.05)
    assert error.p95 == pytest.approx(0.5)


def test_what_does_not_fit_is_refused(truth):
    for call in (image_error.psnr_linear, lambda a, b: image_error.ssim(a, b, PLAIN), lambda a, b: image_error.chroma_error(a, b, PLAIN)):
        with pytest.raises(SettingsError, match="shapes"):
            call(truth[1:], truth)
    with pytest.raises(SettingsError, match="border"):
        image_error.psnr_linear(truth, truth, border=20)
    with pytest.raises(SettingsError, match="11"):
        image_error.ssim(truth, truth, PLAIN, border=16)
    with pytest.raises(SettingsError, match="flows"):
        image_error.flow_error(np.zeros((3, 2)), np.zeros((4, 2)))


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.ones((3, 3)), np.diag([1.0, 1.0, -1.0]), [[1, 1, 1], [1, 1, 1 + 1e-9], [0, 0, 1]]])
def test_degenerate_colour_matrices_are_refused_as_finish_refuses_them(truth, matrix):
    """Fault 12: `compare` inverted them, and gave NaN, an error, or figures of huge numbers."""
    from burstsr.core.srgb import camera_to_srgb

    colour = Colour(np.ones(3), np.array(matrix, float))
    assert np.array_equal(image_error.display_srgb(truth, colour), image_error.display_srgb(truth, PLAIN))
    assert np.array_equal(camera_to_srgb(colour), np.eye(3))
    assert np.isfinite(image_error.psnr_srgb(truth + np.float32(0.01), truth, colour))
