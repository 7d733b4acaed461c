"""Item 12 of issue 21: blur and lateral chromatic aberration over the field, from a chart of slanted squares."""

import numpy as np
import pytest

from burstsr.core.errors import SettingsError
from burstsr.core.lateral import LateralAberration
from burstsr.core.noise import Noise
from calibration.edge_field import lens_over_field
from calibration.synthetic import chart_frame, edge_frames

SHAPE = (288, 360)


def test_a_chart_shows_blur_by_place_and_lateral_aberration(rng):
    true = LateralAberration.of_frame(SHAPE, (1.5e-3, 1.5e-3), (-2e-3, 0.0))
    record = lens_over_field([chart_frame(0.4, Noise.of_iso(100), rng, shape=SHAPE, lateral=true)])
    found = LateralAberration.of_frame(SHAPE, record.lateral_red, record.lateral_blue)
    assert found.corner_px == pytest.approx(true.corner_px, abs=0.08)
    centre, radius2 = (np.array(SHAPE) - 1) / 2, (SHAPE[0] ** 2 + SHAPE[1] ** 2) / 4
    places = record.places
    assert len(places) >= 10
    for place in places:
        rho2 = ((place["y_px"] - centre[0]) ** 2 + (place["x_px"] - centre[1]) ** 2) / radius2
        assert place["psf_sigma_px"] == pytest.approx(0.4 * (1 + 0.5 * rho2), abs=max(4 * place["error_px"], 0.06))
    assert 0.4 < record.psf_sigma_px < 0.6 and record.psf_sigma_error_px > 0.01 and record.certain_px == pytest.approx(0.4, abs=0.08)
    assert record.psf_sigma_px == pytest.approx(np.median([place["psf_sigma_px"] for place in places]), abs=1e-3)


def test_a_lens_without_aberration_has_none(rng):
    record = lens_over_field([chart_frame(0.5, Noise.of_iso(100), rng, shape=(192, 240))])
    assert record.lateral_red in (None, (0.0, 0.0)) and record.lateral_blue in (None, (0.0, 0.0))


def test_a_single_edge_is_no_chart(rng):
    with pytest.raises(SettingsError, match="at least 3"):
        lens_over_field(edge_frames(0.5, Noise.of_iso(100), rng, shape=(96, 96)))
