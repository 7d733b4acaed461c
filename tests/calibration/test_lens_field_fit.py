"""Blur over the field from the places of a record."""

from dataclasses import replace

import numpy as np
import pytest

from burstsr.profiles.lens_field_fit import fit_lens_field
from burstsr.profiles.records import LensRecord

SHAPE = (600, 800)
RECORD = LensRecord("X1", 100.0, "2026-01-01T00:00:00+00:00", "slanted edges", 0.4, psf_sigma_error_px=0.1)


def record(centre, corner, error=0.02, seed=0, count=6):
    rng, places = np.random.default_rng(seed), []
    for y in np.linspace(50, 550, count):
        for x in np.linspace(50, 750, count):
            share = ((y - 299.5) ** 2 + (x - 399.5) ** 2) / 500**2
            sigma = np.sqrt(centre**2 + (corner**2 - centre**2) * share) + rng.normal(0, error)
            places.append({"y_px": float(y), "x_px": float(x), "psf_sigma_px": float(sigma), "error_px": error})
    return replace(RECORD, places=tuple(places))


def test_growth_is_found_less_its_error():
    found = np.array([fit_lens_field(record(0.3, 0.7, seed=seed), SHAPE) for seed in range(40)])
    below = np.array([0.3, 0.7]) - found
    assert (np.abs(below) < 0.05).all()
    assert (below > 0).mean() == pytest.approx(0.84, abs=0.12)  # less one standard error


def test_a_single_wrong_place_does_not_matter():
    right = record(0.3, 0.7)
    wrong = replace(right, places=(replace_sigma(right.places[0], 2.0), *right.places[1:]))
    assert fit_lens_field(wrong, SHAPE) == pytest.approx(fit_lens_field(right, SHAPE), abs=0.03)


def replace_sigma(place, sigma):
    return {**place, "psf_sigma_px": sigma}


@pytest.mark.parametrize("seed", range(5))
def test_a_blur_that_does_not_grow_is_one_blur(seed):
    found = fit_lens_field(record(0.4, 0.4, seed=seed), SHAPE)
    assert found is None or found == pytest.approx((0.4, 0.4), abs=0.05)
    assert fit_lens_field(record(0.6, 0.3, seed=seed), SHAPE) is None


def test_few_places_or_places_beside_each_other_do_not_tell():
    whole = record(0.3, 0.7)
    assert fit_lens_field(RECORD, SHAPE) is None
    assert fit_lens_field(replace(whole, places=whole.places[:5]), SHAPE) is None
    ring = [p for p in whole.places if 0.5 < ((p["y_px"] - 299.5) ** 2 + (p["x_px"] - 399.5) ** 2) / 500**2 < 0.7]
    assert fit_lens_field(replace(whole, places=tuple(ring)), SHAPE) is None
    assert fit_lens_field(replace(whole, places=({"y_px": 1.0}, *whole.places)), SHAPE) is None
