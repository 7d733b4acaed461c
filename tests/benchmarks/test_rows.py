"""Every row of the quality benchmark gives an image, and a sane one."""

import importlib.util

import numpy as np
import pytest

from benchmarks.figures import border_of, flat_areas, flow_figures, image_figures, noise_between, places_of
from benchmarks.rows import ROWS, chosen_rows
from burstsr.core.errors import SettingsError
from burstsr.quality.image_error import psnr_linear
from burstsr.simulate import Flicker


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_rows_give_images_of_the_truth(row, scale, small, shot):
    if row.missing:
        pytest.skip(f"{row.needs} is not installed")
    taken = small if scale == 2.0 else shot(scale=scale, cfa="GBRG")
    image = row.image(taken)
    assert image.shape == taken.made.truth.shape and image.dtype == np.float32
    assert np.isfinite(image).all()
    assert psnr_linear(image, taken.made.truth, border_of(taken)) > 24


def test_rows_see_the_same_geometry(small):
    """Shifted by an output pixel, every row is further from the truth: none is off by half a pixel."""
    border = border_of(small)
    for row in ROWS:
        if not row.missing:
            image = row.image(small)
            here = psnr_linear(image, small.made.truth, border)
            assert all(here > psnr_linear(np.roll(image, shift, axis), small.made.truth, border) for axis in (0, 1) for shift in (-1, 1)), row.key


def test_figures(small):
    figures = image_figures(small.made.truth, small)
    assert figures["psnr_linear"] is None and figures["ssim"] == pytest.approx(1)  # no error has no decibels
    noisy = small.made.truth + np.random.default_rng(0).normal(0, 0.01, small.made.truth.shape).astype(np.float32)
    assert image_figures(noisy, small)["psnr_linear"] == pytest.approx(40, abs=0.3)
    error = flow_figures(small)
    assert 0 < error.median < 0.1 and error.median < error.p95


def test_a_mover_has_figures_of_its_own(shot):
    from burstsr.simulate import MovingObject

    figures = image_figures(shot(moving_object=MovingObject()).made.truth + np.float32(0.01), shot(moving_object=MovingObject()))
    assert figures["psnr_mover"] > 20 and figures["psnr_mover_ever"] > 20


def test_places_of_lamps_and_hot_pixels(shot):
    """Masks lie where the truth and the frames say: the lamp's disc in its middle, every hot pixel on its own output pixels."""
    lit = shot(flicker=Flicker(level=0.95))
    mask = places_of(lit)["psnr_lamp"]
    disc = np.pi * (2 * 4.0 * 2) ** 2
    assert mask.sum() == pytest.approx(disc, rel=0.05)
    centre = np.argwhere(mask).mean(0)
    assert centre == pytest.approx(np.multiply((0.3, 0.7), lit.made.truth.shape[:2]) - 0.5, abs=1)
    hot = shot(hot_pixels=5)
    mask = places_of(hot)["psnr_hot"]
    for y, x in hot.made.hot_pixels:
        assert mask[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].all()
    assert mask.sum() <= 5 * 57 and places_of(shot()) == {}


def test_noise_between_two_images(small):
    truth = small.made.truth
    generator = np.random.default_rng(0)
    a, b = (truth + generator.normal(0, 0.02, truth.shape).astype(np.float32) for _ in range(2))
    everywhere = np.ones(truth.shape[:2], bool)
    assert noise_between(a, b, everywhere, np.ones(3)) == pytest.approx(0.02, rel=0.02)
    assert noise_between(a, b, np.zeros_like(everywhere), np.ones(3)) is None
    assert flat_areas(small).shape == truth.shape[:2]


def test_rows_that_cannot_run_are_reported(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("benchmarks.rows.find_spec", lambda name: None if name == "drizzle" else found(name))
    rows, notes = chosen_rows(["drizzle", "ours"])
    assert [row.key for row in rows] == ["ours"] and "burstsr[benchmark]" in notes[0]
    with pytest.raises(SettingsError, match="telescope"):
        chosen_rows(["telescope"])
