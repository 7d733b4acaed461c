"""What a network makes, downscaled again, is its input: colours are kept, noise does not come back."""

import numpy as np
import pytest

from burstsr.core.errors import SettingsError
from single.classical import resize
from single.inference import Request, Upscaler, make_upscaler
from single.inference.alpha import without_transparent
from single.inference.back_projection import back_projected
from single.inference.noise_level import noise_level
from single.inference.upscaler import Model


def scene(side=96, seed=0):
    """Smooth ground with edges, (side, side, 3)."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0.3, 0.7, (side // 16, side // 16, 3)), np.ones((16, 16, 1)))
    return np.asarray(blocks, np.float32)


@pytest.mark.parametrize("mode", ["low", "full"])
def test_a_colour_cast_of_a_network_is_taken_off(mode):
    truth = scene()
    given = resize(truth, 0.5)
    cast = resize(given, 2) + np.float32([0.015, -0.01, 0.018])  # up to 4.5 of 255, as of a published network
    made = back_projected(cast, given, 2, mode)
    assert np.abs((made - resize(given, 2)).mean((0, 1))).max() < 1e-3


def test_full_restores_what_was_lost_and_low_adds_no_detail():
    truth = scene()
    given = resize(truth, 0.5)
    soft = resize(given, 2, "bilinear")
    low, full = (back_projected(soft, given, 2, mode) for mode in ("low", "full"))
    error = [float(np.mean((image - truth) ** 2)) for image in (soft, low, full)]
    assert error[2] < 0.8 * error[0] and error[1] <= error[0]
    agree = [np.abs(resize(image, 0.5) - given).mean() for image in (soft, low, full)]
    assert agree[2] < 0.3 * agree[0]
    assert back_projected(soft, given, 2, "off") is soft


@pytest.mark.parametrize("sigma", [4 / 255, 10 / 255])
def test_noise_that_a_network_removed_does_not_come_back(sigma):
    clean = np.full((64, 64, 3), 0.5, np.float32)
    noisy = clean + np.float32(sigma) * np.random.default_rng(1).standard_normal(clean.shape, np.float32)
    made = np.full((128, 128, 3), 0.5, np.float32)
    left = {
        name: float(back_projected(made, noisy, 2, mode, level).std()) for name, mode, level in (("low", "low", 0), ("told", "full", sigma), ("not", "full", 0))
    }
    assert left["not"] > 0.7 * sigma and left["low"] < 0.12 * sigma and left["told"] < 0.2 * sigma


@pytest.mark.parametrize("sigma", [3 / 255, 10 / 255])
def test_the_noise_of_an_image_is_measured(sigma):
    image = 0.3 + 0.4 * resize(scene(24), 8)
    noisy = image + np.float32(sigma) * np.random.default_rng(2).standard_normal(image.shape, np.float32)
    assert noise_level(noisy) == pytest.approx(sigma, rel=0.1)
    assert noise_level(image) == 0 and noise_level(noisy[:20, :20]) == 0


def test_the_default_is_stronger_for_networks_that_invent_detail():
    chosen = {name: make_upscaler(Request(name, 2)).back_projection for name in ("srresnet", "srgan", "zoom", "bicubic")}
    assert chosen == {"srresnet": "low", "srgan": "full", "zoom": "off", "bicubic": "off"}
    assert make_upscaler(Request("srgan", 2, back_projection="off")).back_projection == "off"
    with pytest.raises(SettingsError, match="back_projection must be one of"):
        Request("srgan", 2, back_projection="some")


def test_srcnn_keeps_the_brightness():
    """SRCNN x2 was 0.4 of 255 too bright."""
    image = resize(scene(), 0.5)
    made = make_upscaler(Request("srcnn", 2)).image(image)
    assert abs(float(made.mean() - image.mean())) < 0.05 / 255


@pytest.mark.parametrize("method", ["bicubic", "network"])
def test_transparent_pixels_leave_no_dark_rim(method):
    """A white disk on transparent black: every visible pixel stays white."""
    y, x = np.mgrid[:48, :48] - 23.5
    alpha = (np.hypot(y, x) < 15).astype(np.float32)
    pixels = np.dstack([alpha, alpha, alpha, alpha])
    run = (lambda planes, progress=None: resize(np.ascontiguousarray(planes.transpose(1, 2, 0)), 2).transpose(2, 0, 1)) if method == "network" else None
    made = Upscaler(Model("m", run is not None), 2.0, 2.0, "rgb", run).image(pixels)
    assert made[made[:, :, 3] > 0.02][:, :3].min() > 0.99
    filled = without_transparent(pixels)
    assert np.array_equal(filled[alpha > 0], pixels[alpha > 0][:, :3])


def test_a_wholly_transparent_image_is_left_alone():
    pixels = np.zeros((8, 8, 4), np.float32)
    pixels[..., 0] = 0.25
    assert np.array_equal(without_transparent(pixels), pixels[:, :, :3])


def test_srgan_draws_no_strong_colours_on_black_lines():
    """SRGAN x2 drew fringes of 0.17 beside black lines on white."""
    image = np.full((40, 48, 3), 0.98, np.float32)
    for i in range(5):
        image[6:34, 6 + 8 * i : 8 + 8 * i] = 0.02
    made = make_upscaler(Request("srgan", 2)).image(resize(resize(image, 2), 0.5))
    assert np.abs(made - made.mean(axis=2, keepdims=True)).max() < 0.12
