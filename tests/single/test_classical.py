"""Upscaling and shrinking: laws first, then the figures that the field publishes for bicubic."""

import cv2
import numpy as np
import pytest

from burstsr.core.errors import SettingsError
from single.classical import METHODS, resize

SCALES = (0.25, 0.6, 1.0, 1.5, 2.0, 3.0, 4.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", SCALES)
def test_constant_in_constant_out(method, scale):
    made = resize(np.full((23, 31, 3), 0.37, np.float32), scale, method)
    assert made.shape == (round(scale * 23), round(scale * 31), 3) and made.dtype == np.float32
    assert np.abs(made - 0.37).max() < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_scale_1_is_the_identity(method, rng):
    image = rng.uniform(0, 1, (9, 7, 3)).astype(np.float32)
    made = resize(image, 1.0, method)
    assert np.array_equal(made, image) and made is not image


@pytest.mark.parametrize("method", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("scale", [0.5, 1.7, 2.0, 4.0])
def test_a_slope_stays_where_it_was(method, scale):
    """Output pixel o shows the raw position (o + 0.5) / s - 0.5."""
    y, x = np.mgrid[:40, :50].astype(np.float32)
    made = resize(0.01 * y + 0.02 * x, scale, method)
    at = [(np.arange(n) + 0.5) / scale - 0.5 for n in made.shape]
    expected = 0.01 * at[0][:, None] + 0.02 * at[1]
    inside = np.s_[round(8 * scale) : round(-8 * scale), round(8 * scale) : round(-8 * scale)]
    assert np.abs(made - expected)[inside].max() < (4e-3 if method == "lanczos" else 1e-5)


def test_nearest_repeats_pixels(rng):
    image = rng.uniform(0, 1, (5, 6)).astype(np.float32)
    assert np.array_equal(resize(image, 3, "nearest"), image.repeat(3, 0).repeat(3, 1))


def test_shrinking_leaves_nothing_to_alias():
    stripes = np.tile(np.array([0, 1], np.float32), (32, 16))
    assert np.abs(resize(stripes, 0.25, "bicubic")[2:-2, 2:-2] - 0.5).max() < 0.01


def test_opencv_agrees_where_it_is_the_same_kernel(rng):
    image = rng.uniform(0, 1, (20, 24, 3)).astype(np.float32)
    theirs = cv2.resize(image, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_LINEAR)
    assert np.abs(resize(image, 2.5, "bilinear") - theirs)[5:-5, 5:-5].max() < 1e-5


def test_wrong_values_are_named():
    image = np.zeros((4, 4), np.float32)
    for arguments, message in (((image, 2, "sinc"), "sinc"), ((image, 0), "above 0"), ((image, np.nan), "above 0"), ((image, 0.01), "leaves no pixels")):
        with pytest.raises(SettingsError, match=message):
            resize(*arguments)


def luma(image8):
    return image8.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


@pytest.mark.parametrize(("name", "published"), [("Set5", 28.43), ("Set14", 26.09)])
def test_bicubic_gives_the_published_figures(data, name, published):
    """x4, antialiased bicubic down, luma, 4 pixels cropped."""
    found = []
    for path in sorted((data / "testsets" / name).iterdir()):
        image = cv2.imread(str(path))[:, :, ::-1]
        image = image[: image.shape[0] // 4 * 4, : image.shape[1] // 4 * 4]
        small = np.rint(np.clip(resize(image / 255.0, 0.25), 0, 1) * 255)
        large = np.rint(np.clip(resize(small / 255.0, 4), 0, 1) * 255)
        error = (luma(large) - luma(image))[4:-4, 4:-4]
        found.append(10 * np.log10(255**2 / np.mean(error**2)))
    assert np.mean(found) == pytest.approx(published, abs=0.01)
