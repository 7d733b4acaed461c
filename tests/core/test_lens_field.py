"""Blur of a lens over the field."""

import pytest

from burstsr.core.lens_field import LensField


def test_blur_grows_from_the_centre_to_the_corners():
    lens = LensField.of_frame((101, 201), 0.2, 0.6)
    assert lens.at(50, 100) == pytest.approx(0.2)
    assert lens.at(-0.5, -0.5) == pytest.approx(0.6)
    assert lens.at(-0.5, 200.5) == pytest.approx(0.6)
    assert 0.2 < lens.at(50, 150) < lens.at(20, 180) < 0.6


def test_a_crop_has_the_blur_of_its_place():
    lens = LensField.of_frame((100, 200), 0.1, 0.5)
    assert lens.cropped(30, 40).at(5, 7) == pytest.approx(lens.at(35, 47))


def test_one_blur_is_the_same_everywhere():
    assert LensField.of_frame((100, 200), 0.3, 0.3).at(1, 190) == 0.3
