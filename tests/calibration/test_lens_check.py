"""Item 9 of issue 21: a lens record that nobody named is used only where the burst bears it out, less its error."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of

from burstsr.core.burst import Burst
from burstsr.profiles.apply import CalibrationInputs, LensCheck, prepared
from burstsr.profiles.files import write_record
from burstsr.profiles.records import LensRecord
from burstsr.settings import Settings
from burstsr.simulate import SimulateSettings, simulate_burst
from calibration.held_out import HeldOut
from calibration.lens_check import check_lens, judged

RECORD = LensRecord("X1", 100.0, "2026-01-01T00:00:00+00:00", "slanted edge", 0.5, psf_sigma_error_px=0.1)


def camera(burst):
    return Burst("b", tuple(frame.with_info(replace(frame.info, camera="X1")) for frame in burst))


@pytest.mark.parametrize("passed", [True, False])
def test_a_record_that_was_not_named_is_checked(passed, tmp_path):
    write_record(tmp_path / "lens.json", RECORD)
    asked = []

    def check(burst, sigma):
        asked.append(sigma)
        return LensCheck(passed, "so it is", 0.1, 0.01)

    burst, settings = camera(burst_of([np.full((32, 32), 0.2)] * 2)), Settings(mode="best")
    ready = prepared(CalibrationInputs(folder=tmp_path), burst, settings, check_lens=check)
    assert asked == [pytest.approx(0.4)]
    assert ready.settings.reconstruct.psf_sigma_px == pytest.approx(0.4 if passed else 0.0)
    assert ready.lens.to_dict() == {
        "psf_sigma_px": 0.4 if passed else 0.0,
        "record_px": 0.5,
        "record_error_px": 0.1,
        "misfit_change": 0.1,
        "misfit_change_error": 0.01,
        "reason": "so it is",
    }
    assert ("lens" in ready.sources) == passed
    named = prepared(CalibrationInputs((tmp_path / "lens.json",), tmp_path), burst, settings, check_lens=check)
    assert named.settings.reconstruct.psf_sigma_px == pytest.approx(0.4) and "not checked" in named.lens.reason and len(asked) == 1


def test_blur_by_place_is_used_by_place(tmp_path):
    places = tuple(
        {"y_px": y, "x_px": x, "psf_sigma_px": (0.2**2 + 0.32 * ((y - 15.5) ** 2 + (x - 15.5) ** 2) / 512) ** 0.5, "error_px": 0.01}
        for y in (0.0, 8.0, 16.0, 24.0, 31.0)
        for x in (0.0, 10.0, 20.0, 31.0)
    )
    write_record(tmp_path / "lens.json", replace(RECORD, places=places))
    burst, asked = camera(burst_of([np.full((32, 32), 0.2)] * 2)), []

    def check(burst, sigma):
        asked.append(sigma)
        return LensCheck(True, "so it is")

    ready = prepared(CalibrationInputs(folder=tmp_path), burst, Settings(mode="best"), check_lens=check)
    assert ready.settings.reconstruct.psf_sigma_px == pytest.approx(0.2, abs=0.02) and asked == [ready.settings.reconstruct.psf_sigma_px]
    assert ready.settings.reconstruct.psf_corner_sigma_px == pytest.approx(0.6, abs=0.02)
    assert ready.lens.to_dict()["psf_corner_sigma_px"] == pytest.approx(0.6, abs=0.02)


def test_a_blur_that_is_not_larger_than_its_error_is_not_used(tmp_path):
    write_record(tmp_path / "lens.json", replace(RECORD, psf_sigma_error_px=0.6))
    ready = prepared(CalibrationInputs(folder=tmp_path), camera(burst_of([np.full((32, 32), 0.2)] * 2)), Settings(mode="best"))
    assert ready.settings.reconstruct.psf_sigma_px == 0 and ready.sources == {} and "error" in ready.lens.reason


def test_what_cannot_check_a_lens_does_not_let_it_pass():
    burst = burst_of([np.full((64, 64), 0.2)] * 4)
    assert not check_lens(Burst("b", burst.frames[:3]), 0.4).passed
    brighter = burst.frames[3].with_info(replace(burst.info, exposure_s=1.0))
    assert not check_lens(Burst("b", (*burst.frames[:3], brighter)), 0.4).passed


def test_a_burst_contradicts_a_blur_that_is_too_wide(rng):
    y, x = np.mgrid[:160, :160]
    leaves = np.full((160, 160), 0.5)
    for _ in range(150):  # discs of all sizes over each other: edges of all contrasts
        size, place = np.exp(rng.uniform(np.log(2), np.log(40))), rng.uniform(0, 160, 2)
        leaves[np.hypot(y - place[0], x - place[1]) < size] = rng.uniform(0.1, 0.9)
    scene = np.repeat(leaves[..., None], 3, 2).astype(np.float32)
    sharp, soft = (
        HeldOut(simulate_burst(scene, SimulateSettings(frames=6, iso=100, blur_sigma_px=sigma), np.random.default_rng(1), "leaves").burst, 80)
        for sigma in (0.0, 0.5)
    )
    wrong, right = judged(sharp, 0.5), judged(soft, 0.4)
    assert not wrong.passed and wrong.change > 3 * wrong.error and "worse" in wrong.reason
    assert right.passed and right.change < 2 * right.error
