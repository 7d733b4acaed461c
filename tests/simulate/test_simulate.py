"""The simulator as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from burstsr.core.errors import BurstsrError, InputFileError, SettingsError
from burstsr.core.noise import Noise
from burstsr.quality.image_error import display_srgb
from burstsr.simulate import Flicker, FrameMotion, MovingObject, SimulateSettings, camera_noise, read_motions, read_truth, simulate_burst, truth_record
from burstsr.simulate.scene import camera_colour, frame_shape, unprocess

DATA = Path(os.environ.get("BURSTSR_DATA") or os.devnull)
QUIET = Noise(np.zeros(3), np.zeros(3))


def random_image(height=96, width=128, seed=0):
    return np.random.default_rng(seed).uniform(0, 0.9, (height, width, 3)).astype(np.float32)


def mosaics(simulated):
    return np.stack([frame.mosaic for frame in simulated.burst])


def run(seed=0, image=None, **settings):
    return simulate_burst(random_image() if image is None else image, SimulateSettings(**settings), np.random.default_rng(seed))


def test_seed_is_all_the_randomness():
    first, again, other = run(3), run(3), run(4)
    np.testing.assert_array_equal(mosaics(first), mosaics(again))
    assert first.motions == again.motions
    assert first.motions != other.motions and (mosaics(first) != mosaics(other)).any()


def test_iso_changes_the_noise_and_nothing_else():
    low, high = run(iso=100), run(iso=3200)
    assert low.motions == high.motions
    np.testing.assert_array_equal(low.truth, high.truth)
    assert (high.noise.beta > low.noise.beta).all()


def test_frames_say_what_they_are():
    simulated = run(frames=4, iso=800, orientation=6, cfa="BGGR")
    for index, frame in enumerate(simulated.burst):
        info = frame.info
        assert info.path == Path(f"frame_{index:03d}.dng")
        assert (info.camera, info.iso, info.orientation, info.cfa_order, info.shape) == ("burstsr simulated", 800, 6, "BGGR", frame.mosaic.shape)
        assert info.noise is simulated.noise and info.exposure_s > 0
        assert info.time - simulated.burst.info.time == timedelta(microseconds=round(index / 30 * 1e6))


@pytest.mark.parametrize("scale", [1.0, 1.3, 1.5, 2.0, 3.0, 3.7, 4.0])
def test_truth_and_frames_fit(scale):
    simulated = run(image=random_image(101, 135), frames=2, scale=scale)
    height, width = simulated.burst.info.shape
    assert height % 2 == width % 2 == 0
    assert simulated.truth.shape == (round(scale * height), round(scale * width), 3)
    assert simulated.truth.dtype == np.float32
    for length, frame in ((101, height), (135, width)):
        assert round(scale * frame) <= length < round(scale * (frame + 2))


def test_integer_image_is_the_same_image():
    image = (random_image() * 255).round()
    settings = {"frames": 1, "noise": QUIET}
    np.testing.assert_array_equal(mosaics(run(image=image.astype(np.uint8), **settings)), mosaics(run(image=image / np.float32(255), **settings)))
    np.testing.assert_array_equal(mosaics(run(image=image.astype(np.uint8), **settings)), mosaics(run(image=(image * 257).astype(np.uint16), **settings)))


def test_finishing_gives_the_image_back():
    image = random_image()
    truth = run(image=image, frames=1).truth
    np.testing.assert_allclose(display_srgb(truth, camera_colour()), image, atol=2e-5)


def test_white_is_neutral_and_where_green_saturates():
    camera = unprocess(np.ones((2, 2, 3)), camera_colour())
    np.testing.assert_allclose(camera[0, 0], camera_colour().as_shot_neutral, atol=1e-6)
    grey = unprocess(np.full((2, 2, 3), 0.5), camera_colour())
    np.testing.assert_allclose(grey[0, 0] / grey[0, 0, 1], camera_colour().as_shot_neutral, rtol=1e-5)


def test_neutral_is_what_the_matrix_makes_of_white():
    colour = camera_colour(1.9, 1.4)
    white = np.array([0.95047, 1.0, 1.08883])
    np.testing.assert_allclose(colour.xyz_to_camera @ white, colour.as_shot_neutral, atol=1e-4)


def test_given_motions_become_relative_to_the_first():
    given = (FrameMotion(1, 1), FrameMotion(2, 3), FrameMotion(9, 9))
    assert run(frames=2, motion=given).motions == (FrameMotion(), FrameMotion(1, 2))


def test_knobs_at_their_null_values_change_nothing():
    plain = mosaics(run(motion="tripod", blur_sigma_px=0.0, frames=3))
    for null in ({"motion": "handheld", "deviation_px": 0.0, "rotation_deg": 0.0}, {"motion": (FrameMotion(),) * 3}, {"psf": np.ones((1, 1))}):
        np.testing.assert_array_equal(mosaics(run(**{"motion": "tripod", "blur_sigma_px": 0.0, "frames": 3} | null)), plain)


@pytest.mark.parametrize(
    "knob",
    [
        {"blur_sigma_px": 0.5},
        {"iso": 100},
        {"motion": "handheld"},
        {"motion": "jiggle"},
        {"tripod_residue_px": 0.2},
        {"row_noise": 0.01},
        {"hot_pixels": 3},
        {"bits": 12},
        {"moving_object": MovingObject()},
        {"flicker": Flicker()},
        {"psf": np.ones((3, 3))},
        {"linear": True},
        {"colour": camera_colour(1.5, 1.5)},
        {"cfa": "GBRG"},
    ],
)
def test_every_knob_reaches_the_frames(knob):
    base = {"frames": 2, "motion": "tripod"}
    assert (mosaics(run(**base | knob)) != mosaics(run(**base))).any()


MOVER = MovingObject(centre=(0.5, 0.3), radius=0.15, velocity_px=(2.0, 4.0))
STILL = {"frames": 4, "scale": 1.0, "noise": QUIET, "motion": "tripod", "blur_sigma_px": 0.0}


def test_mover_moves_and_the_truth_shows_it_where_the_reference_does():
    without, simulated = run(**STILL), run(moving_object=MOVER, **STILL)
    frames, empty, mask = mosaics(simulated), mosaics(without), simulated.moving_object_mask
    assert 0.8 < mask.sum() / (np.pi * (0.15 * 96) ** 2) < 1.2
    np.testing.assert_array_equal(simulated.truth[~mask], without.truth[~mask])
    np.testing.assert_array_equal(simulated.truth[mask], without.truth[::-1, ::-1][mask])
    for index in range(4):
        moved = np.roll(mask, (2 * index, 4 * index), axis=(0, 1))
        np.testing.assert_array_equal(frames[index][moved], frames[0][mask])
        np.testing.assert_array_equal(frames[index][~moved], empty[index][~moved])
        assert simulated.moving_object_mask_any_frame[moved].all()
    assert without.moving_object_mask is None and without.moving_object_mask_any_frame is None


def test_mover_leaves_the_image_quietly():
    simulated = run(moving_object=replace(MOVER, velocity_px=(0.0, 60.0)), **STILL)
    np.testing.assert_array_equal(mosaics(simulated)[3], mosaics(run(**STILL))[3])


def test_blink_changes_the_lamp_and_only_the_lamp():
    flicker = Flicker(centre=(0.25, 0.5), radius_px=5.0, level=0.8)
    without, simulated = run(**STILL), run(flicker=flicker, **STILL)
    y, x = np.mgrid[:96, :128] + 0.5
    lamp = (y - 24) ** 2 + (x - 64) ** 2 <= 25
    np.testing.assert_allclose(simulated.truth[lamp], np.broadcast_to(0.8 * camera_colour().as_shot_neutral, (lamp.sum(), 3)), rtol=1e-6)
    frames = mosaics(simulated)
    np.testing.assert_array_equal(frames[:, ~lamp], mosaics(without)[:, ~lamp])
    assert len({int(frame[lamp].max()) for frame in frames}) == 4
    assert frames[0][lamp].max() == frames[:, lamp].max()


def test_record_round_trip(tmp_path):
    simulated = run(5, frames=3, moving_object=MOVER, noise=Noise(np.array([1e-4, 2e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6])))
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(truth_record(simulated, seed=5)), encoding="utf-8")
    record = read_truth(path)
    assert (record.motions, record.seed, record.scale) == (simulated.motions, 5, 2.0)
    assert (record.shape, record.cfa_order) == (simulated.burst.info.shape, "RGGB")
    np.testing.assert_array_equal(record.noise.alpha, simulated.noise.alpha)
    np.testing.assert_array_equal(record.levels.black, simulated.burst.info.levels.black)
    np.testing.assert_array_equal(record.colour.xyz_to_camera, simulated.burst.info.colour.xyz_to_camera)
    assert read_motions(path) == simulated.motions
    assert run(5, frames=3, motion=read_motions(path)).motions == simulated.motions


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"shape": [1, 2], "colour": {"xyz_to_camera": null}}'])
def test_what_is_no_truth_is_refused_by_name(tmp_path, text):
    path = tmp_path / "truth.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match="truth.json"):
        read_truth(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"scale": 0.9},
        {"scale": 4.1},
        {"bits": 8},
        {"cfa": "RGBG"},
        {"motion": "walk"},
        {"motion": (FrameMotion(),)},
        {"iso": float("nan")},
        {"black_dn": ((0, 0), (0, 20000))},
        {"noise": Noise(np.full(3, -1.0), np.zeros(3))},
        {"orientation": 9},
        {"psf": np.ones((2, 3))},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        run(**wrong)


@pytest.mark.parametrize("image", [np.zeros((64, 64)), np.zeros((64, 64, 4)), np.zeros((9, 64, 3)), np.full((64, 64, 3), np.nan)])
def test_images_that_cannot_be_are_refused(image):
    with pytest.raises(SettingsError):
        run(image=image)


def table(tmp_path):
    profiles = [{"iso": 400, "a": [4e-5] * 3, "b": [4e-8] * 3}, {"iso": 100, "a": [1e-5, 2e-5, 3e-5], "b": [-1e-9] * 3}]
    path = tmp_path / "noiseprofiles.json"
    path.write_text(json.dumps({"noiseprofiles": [{"maker": "Acme", "models": [{"model": "Box 1", "profiles": profiles}]}]}), encoding="utf-8")
    return path


def test_named_camera_is_interpolated(tmp_path):
    path = table(tmp_path)
    np.testing.assert_allclose(camera_noise(path, "acme box 1", 250).alpha, [2.5e-5, 3e-5, 3.5e-5])
    np.testing.assert_array_equal(camera_noise(path, "Box 1", 100).beta, 0)
    beyond = camera_noise(path, "Box 1", 800)
    np.testing.assert_allclose((beyond.alpha[0], beyond.beta[0]), (8e-5, 16e-8))
    for camera, iso in (("Box 2", 100), ("Box 1", 0)):
        with pytest.raises(SettingsError):
            camera_noise(path, camera, iso)
    with pytest.raises(BurstsrError):
        camera_noise(tmp_path / "absent.json", "Box 1", 100)


@pytest.mark.skipif(not (DATA / "noise").is_dir(), reason="no noise table here")
def test_darktable_table_has_cameras():
    low, high = (camera_noise(DATA / "noise" / "darktable_noiseprofiles.json", "Canon EOS-1Ds", iso) for iso in (100, 1250))
    assert (low.alpha > 0).all() and (high.alpha > low.alpha).all()


@pytest.mark.skipif(not (DATA / "testsets" / "Kodak24").is_dir(), reason="no Kodak pictures here")
def test_kodak_burst_looks_like_its_truth():
    from imageio.v3 import imread

    simulated = run(image=imread(DATA / "testsets" / "Kodak24" / "19.png"), frames=2, iso=100)
    assert simulated.truth.shape == (768, 512, 3) and simulated.burst.info.shape == frame_shape((768, 512), 2.0) == (384, 256)
    frame = simulated.burst.frames[0]
    levels = frame.info.levels
    green = (frame.mosaic[0::2, 1::2] - levels.black[0, 1]) * levels.scale()[0, 1]
    true = simulated.truth[..., 1].reshape(384, 2, 256, 2).mean(axis=(1, 3))[0::2, 1::2]
    assert np.sqrt(np.mean((green - true) ** 2)) < 0.05


def test_old_names_of_the_simulation_are_still_accepted_with_a_warning():
    import burstsr.simulate

    for old, new, value in (("mover", "moving_object", MOVER), ("blink", "flicker", Flicker()), ("shading", "vignetting", 0.5)):
        with pytest.warns(DeprecationWarning, match=f"{old} of SimulateSettings is now called {new}"):
            assert SimulateSettings(**{old: value}) == SimulateSettings(**{new: value})
    for old, new in (("Mover", MovingObject), ("Blink", Flicker)):
        with pytest.warns(DeprecationWarning, match=f"{old} is now called {new.__name__}"):
            assert getattr(burstsr.simulate, old) is new


def test_masks_are_still_read_under_their_old_names(rng):
    made = simulate_burst(rng.random((64, 64, 3)), SimulateSettings(frames=2), rng)
    with pytest.warns(DeprecationWarning, match="moving_object_mask"):
        assert made.mask_mover is made.moving_object_mask
    with pytest.raises(AttributeError, match="no_such_name"):
        made.no_such_name  # noqa: B018
