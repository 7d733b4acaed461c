"""PSNR, SSIM and MS-SSIM against their definitions."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from burstsr.core.errors import SettingsError
from burstsr.quality import display


@pytest.fixture
def pair(rng):
    y, x = np.mgrid[:190, :200]
    truth = 0.5 + 0.3 * np.sin(0.1 * y)[..., None] * np.cos(np.array([0.13, 0.1, 0.07]) * x[..., None])
    return np.clip(truth + 0.03 * rng.standard_normal(truth.shape), 0, 1), truth


def test_equal_images_are_perfect(pair):
    found = display.figures(pair[1], pair[1], 4)
    assert found["psnr_rgb"] == found["psnr_y"] == np.inf
    assert all(found[name] == pytest.approx(1) for name in ("ssim_rgb", "ssim_y", "ms_ssim_rgb", "ms_ssim_y"))


def test_psnr_of_a_known_error():
    zero = np.zeros((20, 20, 3))
    assert display.psnr(zero + 0.1, zero) == pytest.approx(20)
    grey = display.figures(zero + 0.1, zero, 0)
    assert grey["psnr_y"] == pytest.approx(20 - 20 * np.log10(219 / 255)), "luma swings over 219 of 255 levels"


def test_luma_is_that_of_bt_601():
    levels = display.luma(np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 1]]])) * 255
    assert np.allclose(levels, [[16, 235, 16 + 65.481, 16 + 24.966]])


def test_ssim_agrees_with_scikit_image(pair):
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert display.ssim(*pair) == pytest.approx(structural_similarity(*pair, channel_axis=2, **window), abs=1e-6)


def test_ms_ssim_is_the_product_over_scales(pair):
    """Wang 2003, eq. 7, from plain SSIM maps: structure on the finer scales, all of it on the coarsest."""
    a, b = (p.mean(2) for p in pair)
    expected = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        whole, structure = display._similarity(a, b)
        expected *= (whole if scale == 4 else structure) ** weight
        a, b = halved(a), halved(b)
    assert display.ms_ssim(*(p.mean(2) for p in pair)) == pytest.approx(expected)
    assert display.ms_ssim(*pair) < 1


def halved(p):
    height, width = p.shape[0] // 2 * 2, p.shape[1] // 2 * 2
    return (p[:height:2, :width:2] + p[1:height:2, :width:2] + p[:height:2, 1:width:2] + p[1:height:2, 1:width:2]) / 4


def test_small_noise_on_coarse_structure_hardly_counts_in_ms_ssim(pair):
    noisy, truth = pair
    blurred = np.repeat(np.repeat(truth[::8, ::8], 8, 0), 8, 1)[:190, :200]
    assert display.ms_ssim(noisy, truth) > display.ssim(noisy, truth)
    assert display.ms_ssim(blurred, truth) < 0.99


def test_what_is_too_small_is_no_number():
    tiny = np.zeros((10, 40, 3))
    assert np.isnan(display.ssim(tiny, tiny)) and np.isnan(display.ms_ssim(np.zeros((175, 300)), np.zeros((175, 300))))


def test_wrong_values_are_named():
    with pytest.raises(SettingsError, match="border must be"):
        display.figures(np.zeros((10, 10, 3)), np.zeros((10, 10, 3)), 5)
    with pytest.raises(SettingsError, match="expected the same"):
        display.ssim(np.zeros((20, 20, 3)), np.zeros((20, 21, 3)))
