"""Mode "best" corrects the lateral chromatic aberration that a burst shows, and does nothing where it shows none."""

from dataclasses import replace

import numpy as np
import pytest

from burstsr import super_resolve
from burstsr.core.lateral import LateralAberration
from burstsr.core.noise import Noise
from burstsr.lateral import measure_lateral
from burstsr.quality.image_error import psnr_srgb
from burstsr.registration import Registered
from burstsr.settings import ReconstructSettings, Settings
from burstsr.simulate import SimulateSettings, simulate_burst
from burstsr.simulate.exposure_paths import rigid_poses
from burstsr.simulate.scene import camera_colour
from burstsr.simulate.trajectories import handheld
from burstsr.simulate.worlds import Camera, Exposure, Layer, photograph

SETTINGS = Settings(mode="best", reference=0, measure_noise=False, reconstruct=ReconstructSettings(outer_iterations=2, cg_iterations=6))
SHAPE = (176, 208)


def taken(lateral, frames=5):
    """A burst of coloured discs through a lens with red and blue magnified by 1 + lateral."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: 2 * SHAPE[0], : 2 * SHAPE[1]]
    scene = np.full((*y.shape, 3), 0.2, np.float32)
    for _ in range(400):
        at, size = rng.uniform(0, y.shape), rng.uniform(3, 25)
        scene[np.hypot(y - at[0], x - at[1]) < size] = rng.uniform(0.02, 0.8) * rng.uniform(0.6, 1, 3)
    camera = Camera(camera_colour(), Noise.of_iso(100), 100, lateral=lateral)
    exposures = [Exposure(rigid_poses(motion, SHAPE[0])) for motion in handheld(frames, rng, 2.0, 0.05)]
    return photograph([Layer(scene)], exposures, camera, 2.0, None, rng)


@pytest.fixture(scope="module")
def aberrant():
    return taken((0.005, 0.0, -0.004))


def quality(world, **changes):
    result = super_resolve(replace(world.burst, **changes), SETTINGS)
    return psnr_srgb(result.image, world.truth, world.burst.info.colour, 8), result.report.to_dict()


def test_aberration_is_measured_and_corrected(aberrant):
    found, report = quality(aberrant)
    radius = np.hypot(*SHAPE) / 2
    assert report["lateral"]["corrected"] and report["lateral"]["source"] == "burst"
    assert report["lateral"]["corner_px"] == pytest.approx([-0.005 * radius, 0.004 * radius], abs=0.06)
    known = LateralAberration.of_frame(SHAPE, (0.005, 0.0), (-0.004, 0.0))
    frames = tuple(frame.with_info(replace(frame.info, lateral=known)) for frame in aberrant.burst)
    by_record, told = quality(aberrant, frames=frames)
    assert told["lateral"]["source"] == "lens record" and told["lateral"]["error_px"] is None
    left = super_resolve(aberrant.burst, replace(SETTINGS, correct_lateral=False)).image
    before = psnr_srgb(left, aberrant.truth, aberrant.burst.info.colour, 8)
    assert found > before + 1 and abs(found - by_record) < 0.3


class Stop(Exception):
    pass


@pytest.fixture
def registered(monkeypatch):
    """A function that registers a world's burst."""
    seen: list[Registered] = []

    def stop(burst, *_):
        seen.append(burst)
        raise Stop

    def register(world):
        monkeypatch.setattr("burstsr.pipeline.choose_lateral", stop)
        with pytest.raises(Stop):
            super_resolve(world.burst, SETTINGS)
        return seen[-1]

    return register


def test_a_lens_without_is_left_alone(registered):
    measured = measure_lateral(registered(taken((0.0, 0.0, 0.0))))
    assert measured.aberration is None and max(measured.error_px) < 0.03


def test_parts_of_large_frames_tell_the_same(aberrant, registered, monkeypatch):
    """At places of their own, in whole CFA cells that follow the motion."""
    burst = registered(aberrant)
    whole = measure_lateral(burst)
    monkeypatch.setattr("burstsr.lateral._PART_PX", 96)
    monkeypatch.setattr("burstsr.lateral._PARTS", (2, 2))
    assert measure_lateral(burst).corner_px == pytest.approx(whole.corner_px, abs=0.1)


def test_grey_frames_have_none():
    made = simulate_burst(np.random.default_rng(0).uniform(0, 1, (64, 64, 3)), SimulateSettings(frames=3, cfa="mono"), np.random.default_rng(0), "grey")
    assert "lateral" not in super_resolve(made.burst, SETTINGS).report.to_dict()


def test_the_field_of_a_crop_is_that_of_the_whole():
    lens = LateralAberration.of_frame((100, 120), (0.01, 0.002), (0.0, 0.0))
    crop = lens.cropped(20, 30)
    assert crop.centre == (29.5, 29.5) and crop.largest_px((40, 40)) < lens.largest_px((100, 120))
    assert lens.corner_px[0] == pytest.approx(-0.012 * np.hypot(100, 120) / 2)
