"""Noise is found again: from flats, from bursts, from a table."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import burst_of

from burstsr.core.burst import Burst
from burstsr.core.censored_normal import clipped_moments, unclipped_moments
from burstsr.core.errors import BurstError, SettingsError
from burstsr.core.noise import Noise
from burstsr.noise import Points, check_noise_profile, estimate_noise, fit, measure
from burstsr.noise.from_burst import floors_of
from burstsr.profiles.records import NoiseRecord
from burstsr.robustness.noise_curves import STEPS, noise_curves
from burstsr.simulate import SimulateSettings, simulate_burst
from calibration.curves import monte_carlo
from calibration.noise import combined, hardly_known, make_aligner, noise_from_burst, noise_from_frame, noise_from_table
from calibration.photon_transfer import photon_transfer
from calibration.synthetic import flat_frames

LEVELS = (0.002, 0.01, 0.03, 0.08, 0.2, 0.4, 0.6, 0.8)


def scene(height=400, width=512):
    """(height, width, 3) float: slow waves of all levels, with a textured quarter."""
    y, x = np.mgrid[:height, :width]
    grey = 0.5 + 0.3 * np.sin(x / 60) + 0.18 * np.cos(y / 45)
    texture = 0.15 * np.random.default_rng(1).standard_normal((height, width)) * ((x > width / 2) & (y > height / 2))
    return np.clip(grey + texture, 0.02, 0.98)[..., None] * [1.0, 0.9, 0.8]


def made(iso, frames=9, seed=0, **more):
    return simulate_burst(scene(), SimulateSettings(frames=frames, iso=iso, **more), np.random.default_rng(seed))


@pytest.mark.parametrize("iso", [100, 1600])
def test_photon_transfer(iso, rng):
    noise = Noise.of_iso(iso)
    record = photon_transfer(flat_frames(LEVELS, noise, rng, iso=iso))
    assert record.alpha == pytest.approx(tuple(noise.alpha), rel=0.03)
    assert record.beta == pytest.approx(tuple(noise.beta), rel=0.1)
    assert record.gain_e_per_dn == pytest.approx(tuple(1 / noise.alpha / 15871), rel=0.03)
    assert record.full_well_e == pytest.approx(tuple(1 / noise.alpha), rel=0.03)
    assert all(error < 0.03 * a for error, a in zip(record.alpha_error, record.alpha, strict=True))


def test_photon_transfer_finds_black_prnu_and_row_noise(rng):
    noise = Noise.of_iso(100)
    flats = flat_frames(LEVELS, noise, rng, iso=100, black_dn=510.4, prnu=0.01, row_noise=1e-4, frames=3)
    dark = flat_frames((0.0,), noise, rng, iso=100, black_dn=510.4, row_noise=1e-4, frames=4)[0]
    for darks in ((), dark):
        record = photon_transfer(flats, darks)
        assert np.ravel(record.black_dn) == pytest.approx(510.4, abs=0.5)
        assert record.prnu == pytest.approx((0.01,) * 3, rel=0.15)
        assert record.row_noise_dn == pytest.approx(1e-4 * 15872.6, rel=0.3)


@pytest.mark.parametrize("cfa", ["quad RGGB", "X-Trans"])
def test_photon_transfer_of_other_patterns(cfa, rng):
    """Issue 18: each channel's own noise, and the black level, from the sites of the pattern."""
    noise = Noise(np.array([2e-4, 1e-4, 3e-4]), np.array([2e-6, 1e-6, 3e-6]))
    record = photon_transfer(flat_frames(LEVELS, noise, rng, cfa=cfa, black_dn=510.4, frames=3), flat_frames((0.0,), noise, rng, cfa=cfa, black_dn=510.4)[0])
    assert record.alpha == pytest.approx(tuple(noise.alpha), rel=0.05)
    assert record.beta == pytest.approx(tuple(noise.beta), rel=0.15)
    assert np.ravel(record.black_dn) == pytest.approx(510.4, abs=0.5)


def test_photon_transfer_wants_two_exposures(rng):
    with pytest.raises(BurstError, match="two exposures"):
        photon_transfer(flat_frames((0.2,), Noise.of_iso(100), rng))


@pytest.mark.parametrize("iso", [100, 400, 3200])
def test_a_burst_tells_noise_from_structure(iso):
    """A quarter of the scene is texture of every frequency, the hardest case: alpha measured 13 % off at worst; benchmarks.calibration has photographs."""
    simulated = made(iso)
    record = noise_from_burst(simulated.burst)
    for channel in range(3):
        assert record.alpha[channel] == pytest.approx(simulated.noise.alpha[channel], rel=0.25)
        assert record.beta[channel] == pytest.approx(simulated.noise.beta[channel], rel=0.3)


def test_structure_that_remains_everywhere_is_taken_off():
    """Item 10 of issue 21: photographs without a flat place gave alpha 20 % too high at ISO 100 (Kodak 13), five of its own sigmas."""
    y, x = np.mgrid[:400, :512]
    texture = cv2.GaussianBlur(np.random.default_rng(1).standard_normal((400, 512)), (0, 0), 1.0)
    grey = 0.5 + 0.3 * np.sin(x / 60) + 0.1 * np.cos(y / 45) + texture / texture.std() * (0.01 + 0.07 * x / 512)
    photograph = np.clip(grey, 0.02, 0.98)[..., None] * [1.0, 0.9, 0.8]
    simulated = simulate_burst(photograph, SimulateSettings(frames=9, iso=100), np.random.default_rng(0))
    record = noise_from_burst(simulated.burst)
    assert record.alpha == pytest.approx(tuple(simulated.noise.alpha), rel=0.1)
    assert record.beta == pytest.approx(tuple(simulated.noise.beta), rel=0.5)
    assert np.all(np.abs(record.alpha - simulated.noise.alpha) <= 3 * np.array(record.alpha_error))


def test_a_single_frame_bounds_its_noise():
    """Item 12: from flat areas, with honest errors."""
    simulated = made(400, frames=1)
    record = noise_from_frame(simulated.burst.frames[0])
    assert record.method == "single frame"
    for name in ("alpha", "beta"):
        found, error, true = np.array(getattr(record, name)), np.array(getattr(record, f"{name}_error")), getattr(simulated.noise, name)
        assert np.all(np.abs(found - true) <= 3 * error) and np.all(error < 0.5 * true)


def test_what_is_hardly_determined_is_called_unknown():
    noise = Noise.of_iso(100)
    beta = noise.beta, 0.1 * noise.beta
    assert hardly_known((noise.alpha, noise.alpha * [0.02, 0.2, 0.02]), beta) == ("alpha",) and hardly_known((noise.alpha, noise.alpha * 0.05), beta) is None


def test_movers_and_hot_pixels_do_not_count(rng):
    from burstsr.simulate import MovingObject

    simulated = made(400, moving_object=MovingObject(), hot_pixels=200)
    found = measure(simulated.burst, simulated.noise, make_aligner).noise
    assert found.alpha == pytest.approx(simulated.noise.alpha, rel=0.2)


def test_the_order_of_frames_hardly_matters():
    simulated = made(400, frames=8)
    backwards = Burst("b", simulated.burst.frames[::-1])
    a, b = (measure(burst, simulated.noise, make_aligner) for burst in (simulated.burst, backwards))
    assert np.all(np.abs(a.noise.alpha - b.noise.alpha) <= 4 * np.hypot(a.alpha_error, b.alpha_error))


def test_without_a_profile_the_pipeline_measures():
    simulated = made(800)
    burst = Burst("b", tuple(f.with_info(replace(f.info, noise=None)) for f in simulated.burst))
    noise, source = estimate_noise(burst, make_aligner)
    assert source == "estimated from the burst"
    assert noise.alpha == pytest.approx(simulated.noise.alpha, rel=0.2)
    assert estimate_noise(burst)[1] == "estimated"
    assert estimate_noise(Burst("b", burst.frames[:2]), make_aligner)[1] == "estimated"


@pytest.mark.parametrize("iso", [100, 1600])
def test_a_profile_wrong_by_four_is_reported_and_a_right_one_not(iso):
    simulated = made(iso, frames=5)
    assert check_noise_profile(simulated.burst, simulated.noise, make_aligner) == ""
    assert " times the NoiseProfile" in check_noise_profile(simulated.burst, simulated.noise.scaled(0.25), make_aligner)
    assert "noise is 1/" in check_noise_profile(simulated.burst, simulated.noise.scaled(4), make_aligner)
    assert check_noise_profile(Burst("b", simulated.burst.frames[:2]), simulated.noise.scaled(4), make_aligner) == ""


def test_frames_without_noise_have_no_floors():
    """The mean level of no blocks was taken, with a warning."""
    burst = burst_of([np.full((64, 64), 0.25)] * 3)
    found = floors_of(burst, Noise.of_iso(100), make_aligner, 1)
    assert all(ceiling.size == 0 or ceiling.max() < 1e-12 for ceiling in found.ceiling)
    assert np.isfinite(noise_from_frame(burst.frames[0]).alpha).all()


def test_two_frames_are_too_few_to_measure():
    with pytest.raises(BurstError, match="at least 3"):
        noise_from_burst(Burst("b", made(400, frames=2).burst.frames))


def test_a_line_is_fitted_exactly_and_clipping_undone():
    x = np.linspace(0.0, 0.9, 40)
    alpha, beta = 5e-3, 2e-3
    means, variances = clipped_moments(x, alpha * x + beta, -0.03, 1.0)
    points = Points(means, variances, np.full(40, 1e-3), np.zeros(40), np.zeros(40))
    none = Points(*(np.zeros(0),) * 5)
    found = fit((points, points, none), -0.03)
    assert found.noise.alpha == pytest.approx([alpha] * 3, rel=0.01)
    assert found.noise.beta == pytest.approx([beta] * 3, rel=0.01)


def test_unclipped_undoes_clipped():
    level, variance = np.array([-0.01, 0.0, 0.02, 0.5, 0.97]), np.array([1e-3, 4e-4, 1e-4, 1e-3, 4e-4])
    again = unclipped_moments(*clipped_moments(level, variance, 0.0, 1.0), 0.0, 1.0, rounds=400)
    assert again[0] == pytest.approx(level, abs=1e-4) and again[1] == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("iso", [400, 3200])
def test_exact_noise_curves_are_what_dice_say(iso):
    """Robustness's curves (exact) against Monte Carlo of 3 x 3 patches, clipping included."""
    noise = Noise.of_iso(iso)
    low = -512 / 15871
    levels = (0.0, 0.02, 0.3, 0.95)
    exact, difference = noise_curves(noise, low)
    drawn = monte_carlo(float(noise.alpha[0]), float(noise.beta[0]), low, levels)
    for k, level in enumerate(levels):
        at = round(level * STEPS)
        assert drawn.variance[k] == pytest.approx(exact[0, at], rel=0.03)
        assert drawn.squared_difference[k] == pytest.approx(difference[0, at], rel=0.06)
    assert monte_carlo(float(noise.alpha[0]), float(noise.beta[0]), low, levels) is drawn


def table(tmp_path):
    profiles = [{"iso": iso, "a": [iso * 1e-6] * 3, "b": [iso**2 * 1e-10 - 1e-7] * 3} for iso in (100, 400)]
    skipped = {"iso": 100, "a": [1.0] * 3, "b": [1.0] * 3, "skip": True}
    path = tmp_path / "noiseprofiles.json"
    path.write_text(json.dumps({"noiseprofiles": [{"maker": "Maker", "models": [{"model": "X1", "profiles": [*profiles, skipped]}]}]}))
    return path


def test_darktables_table(tmp_path):
    record = noise_from_table(table(tmp_path), "Maker X1", 200.0)
    assert record.alpha == pytest.approx((2e-4,) * 3)
    assert noise_from_table(table(tmp_path), "Maker X1", 25.0).beta == pytest.approx(((1e-6 - 1e-7) / 16,) * 3)
    with pytest.raises(SettingsError, match="X2"):
        noise_from_table(table(tmp_path), "X2", 200.0)


def test_combined_weighs_by_errors():
    from dataclasses import replace

    one = NoiseRecord("c", 400.0, "d", "burst", (1e-4,) * 3, (1e-6,) * 3, (1e-6,) * 3, (1e-7,) * 3)
    better = replace(one, alpha=tuple(2 * a for a in one.alpha), alpha_error=tuple(e / 1000 for e in one.alpha_error))
    assert combined([one, better]).alpha == pytest.approx(better.alpha, rel=1e-3)
    assert combined([one]) is one
