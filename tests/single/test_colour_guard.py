"""A network draws no colours that its input does not have nearby."""

import numpy as np

from single.classical import resize
from single.inference import Upscaler
from single.inference.colour_guard import within_colours
from single.inference.upscaler import Model


def fringed(planes, progress=None):
    """A network that doubles its input, and makes every third row cyan."""
    made = planes.repeat(2, 1).repeat(2, 2)
    made[0, ::3] -= 0.1
    return made


def test_black_and_white_stays_so():
    """`srgan` x2 drew fringes of up to 36 of 255 beside black text."""
    text = np.kron(np.random.default_rng(0).integers(0, 2, (8, 8)), np.ones((4, 4))).astype(np.float32)
    image = np.repeat((0.2 + 0.6 * text)[:, :, None], 3, 2)
    made = Upscaler(Model("fringed", learned=True), 2.0, 2.0, "rgb", fringed).image(image)
    assert np.ptp(made, axis=2).max() < 1e-6


def test_colours_of_the_image_and_brightness_are_kept():
    truth = np.kron(np.random.default_rng(1).uniform(0.2, 0.8, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.float32)
    given = resize(truth, 0.5)
    np.testing.assert_allclose(within_colours(truth, given), truth, atol=0.02)
    other = np.ascontiguousarray(truth[::-1])
    np.testing.assert_allclose(within_colours(other, given).mean(axis=2), other.mean(axis=2), atol=1e-5)


def test_networks_at_scale_1_may_change_colours():
    """Those restore: the light of a photograph, or its colours."""
    image = np.full((20, 20, 3), 0.5, np.float32)
    made = Upscaler(Model("warm", learned=True), 1.0, 1.0, "rgb", lambda planes, progress=None: planes * np.float32([1.2, 1, 0.8])[:, None, None]).image(image)
    assert np.ptp(made, axis=2).min() > 0.15
