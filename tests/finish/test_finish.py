from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tolerances

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.result import Result
from burstsr.core.srgb import SRGB_TO_XYZ, camera_to_srgb
from burstsr.core.srgb import display_values as encode_srgb
from burstsr.finish import finish, finish_linear, finish_uint8, finish_uint16, loops, naive, orient, unorient
from burstsr.finish.colour import balance_gains, linear_srgb, tone_curve
from burstsr.settings import FinishSettings

CAMERAS = {
    "known": Colour(np.array([0.5, 1.0, 0.7]), np.array([[0.8606, -0.2573, -0.0949], [-0.8237, 1.5489, 0.2974], [-0.2649, 0.3076, 0.91]])),
    "red-rich": Colour(np.array([1.3, 1.0, 0.6]), np.array([[0.9, -0.3, -0.1], [-0.5, 1.3, 0.2], [-0.1, 0.2, 0.7]])),
    "unknown": Colour(np.array([0.6, 1.0, 0.5])),
}
PLAIN = FinishSettings(tone=0, sharpen=0, exposure_ev=0)


def result_of(rgb, colour, orientation=1):
    info = FrameInfo(Path("p"), (64, 64), Cfa.parse("RGGB"), Levels(np.zeros((2, 2)), 1.0), colour, orientation=orientation)
    return Result(np.ascontiguousarray(rgb, np.float32), info, 2.0)


def camera_rgb(srgb_linear, colour):
    """The sensor's view of linear sRGB, exposed so that white just saturates the most sensitive channel."""
    return srgb_linear @ np.linalg.inv(camera_to_srgb(colour)).T * colour.as_shot_neutral / colour.as_shot_neutral.max()


@pytest.fixture(params=CAMERAS)
def colour(request):
    return CAMERAS[request.param]


@pytest.fixture
def scene():
    rng = np.random.default_rng(2)
    return rng.uniform(0.05, 0.9, (150, 70, 3))


def test_plain_finish_inverts_the_camera(scene, colour):
    shown = finish(result_of(camera_rgb(scene, colour), colour), PLAIN)
    unclipped = camera_rgb(scene, colour).max(axis=2) < 0.95
    assert unclipped.mean() > 0.5
    np.testing.assert_allclose(shown[unclipped], encode_srgb(scene.astype(np.float32))[unclipped], atol=2e-6)


def test_neutral_stays_neutral_and_monotone(colour):
    ramp = np.linspace(0, 2, 4000)[None, :, None] * colour.as_shot_neutral / colour.as_shot_neutral.max()
    for settings in (PLAIN, FinishSettings(tone=1, sharpen=0, exposure_ev=1), FinishSettings(tone=0.5, sharpen=0, exposure_ev=-1)):
        shown = finish(result_of(np.clip(ramp, 0, 1), colour), settings)[0]
        assert np.ptp(shown, axis=1).max() < 2e-6
        assert (np.diff(shown, axis=0) >= -2e-6).all()
        if settings.exposure_ev >= 0:
            np.testing.assert_allclose(shown[-1], 1, atol=2e-6)


def test_no_cast_where_some_channels_clip(colour):
    # a grey scene overexposed step by step, sensor clipping at 1 (and a white level stated 2 percent too high): never magenta, never green
    for clip in (1.0, 0.99):
        levels = np.linspace(0.3, 3, 500)[None, :, None] * colour.as_shot_neutral / colour.as_shot_neutral.max()
        linear = finish_linear(result_of(np.minimum(levels, clip), colour))[0]
        assert np.ptp(linear, axis=1).max() < 0.02
        assert linear[-1] == pytest.approx([1, 1, 1], abs=0.02)


def test_a_clipped_coloured_lamp_keeps_its_colour():
    colour = CAMERAS["unknown"]
    lamp = np.array([[[1.0, 0.1, 0.02]]])
    red, green, blue = finish_linear(result_of(lamp, colour))[0, 0]
    assert red == 1
    assert max(green, blue) < 0.2


def test_highlights_are_monotone_in_every_channel(colour):
    gains, identity = balance_gains(colour), np.eye(3)
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 1, (20000, 3)).astype(np.float32)
    high = np.minimum(low + rng.uniform(0, 0.1, low.shape), 1).astype(np.float32)
    assert (linear_srgb(high, gains, identity) >= linear_srgb(low, gains, identity) - 1e-6).all()


@pytest.mark.parametrize("strength", [0, 0.3, 1])
def test_tone_curve(strength):
    values = np.linspace(0, 1, 10001, dtype=np.float32)
    toned = tone_curve(values, strength)
    assert toned[0] == 0
    assert toned[-1] == 1
    gradient = np.diff(toned.astype(np.float64)) / np.diff(values)
    assert gradient.min() > 1 - 0.6 * strength - 0.02
    assert np.abs(np.diff(gradient)).max() < 0.02  # smooth, within rounding
    if strength == 0:
        assert toned is values
    else:
        assert np.abs(toned - values).max() > 0.01 * strength


def test_each_knob_at_null_leaves_the_data_and_else_changes_it(scene):
    image = result_of(camera_rgb(scene, CAMERAS["known"]), CAMERAS["known"])
    plain = finish(image, PLAIN)
    for knob, value in (("tone", 0.5), ("sharpen", 0.5), ("exposure_ev", 0.5)):
        assert np.array_equal(finish(image, replace(PLAIN, **{knob: 0})), plain)
        assert np.abs(finish(image, replace(PLAIN, **{knob: value})) - plain).max() > 0.01
    assert np.array_equal(finish(image, replace(PLAIN, sharpen_radius_px=3.0)), plain)
    assert np.array_equal(image.image, camera_rgb(scene, CAMERAS["known"]).astype(np.float32))  # the input is not written to


def test_sharpening_leaves_flat_areas_and_adds_no_colour():
    flat = result_of(np.full((40, 40, 3), 0.3), CAMERAS["known"])
    np.testing.assert_allclose(finish(flat, FinishSettings(tone=0, sharpen=2)), finish(flat, PLAIN), atol=1e-6)
    edge = np.full((40, 40, 3), 0.2) * CAMERAS["known"].as_shot_neutral
    edge[:, 20:] *= 2
    shown = finish(result_of(edge, CAMERAS["known"]), FinishSettings(tone=0, sharpen=1))
    assert np.ptp(shown, axis=2).max() < 1e-5
    step = finish(result_of(edge, CAMERAS["known"]), PLAIN)[20]
    assert shown[20, 20, 0] > step[20, 0] + 0.01
    assert shown[20, 19, 0] < step[19, 0] - 0.01


def test_blocks_leave_no_seams(scene, monkeypatch):
    image = result_of(camera_rgb(np.tile(scene, (3, 1, 1)), CAMERAS["known"]), CAMERAS["known"])
    settings = FinishSettings(sharpen=1, sharpen_radius_px=2)
    results = []
    for rows in (7, 128, 10**6):
        monkeypatch.setattr("burstsr.finish.stage._BLOCK_ROWS", rows)
        results.append(finish(image, settings))
    for a, b in pairwise(results):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_integers_are_the_rounded_floats(scene):
    image = result_of(camera_rgb(scene, CAMERAS["known"]), CAMERAS["known"], orientation=8)
    shown = finish(image, FinishSettings())
    assert shown.min() >= 0
    assert shown.max() <= 1
    for numbers, top in ((finish_uint8(image, FinishSettings()), 255), (finish_uint16(image, FinishSettings()), 65535)):
        assert numbers.flags.c_contiguous
        assert np.array_equal(numbers, np.rint(shown * np.float32(top)))


@pytest.mark.parametrize("code", [*range(1, 9)])
def test_orientation(code):
    stored = np.arange(24).reshape(4, 6)
    upright = orient(stored, code)
    assert upright.shape == ((4, 6) if code < 5 else (6, 4))
    assert np.array_equal(unorient(upright, code), stored)
    assert np.array_equal(orient(unorient(stored, code), code), stored)
    # EXIF: where the first stored row and the first stored column are seen
    row = {1: "top", 2: "top", 3: "bottom", 4: "bottom", 5: "left", 6: "right", 7: "right", 8: "left"}[code]
    column = {1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"}[code]
    sides = {"top": upright[0], "bottom": upright[-1], "left": upright[:, 0], "right": upright[:, -1]}
    assert set(sides[row]) == set(stored[0])
    assert set(sides[column]) == set(stored[:, 0])


@pytest.mark.parametrize("code", [*range(1, 9)])
def test_a_turned_image_is_finished_the_same(scene, code):
    upright = camera_rgb(scene, CAMERAS["known"])
    expected = finish(result_of(upright, CAMERAS["known"]), FinishSettings())
    turned = finish(result_of(unorient(upright, code), CAMERAS["known"], orientation=code), FinishSettings())
    np.testing.assert_allclose(turned, expected, atol=2e-6)


def test_a_matrix_that_means_nothing_counts_as_unknown():
    assert np.array_equal(camera_to_srgb(Colour(np.ones(3), np.zeros((3, 3)))), np.eye(3))
    np.testing.assert_allclose(camera_to_srgb(Colour(np.ones(3), np.linalg.inv(SRGB_TO_XYZ))), np.eye(3), atol=1e-12)


def test_values_below_black_stay_finite():
    shown = finish(result_of(np.full((8, 8, 3), -0.1), CAMERAS["known"]), FinishSettings())
    assert np.array_equal(shown, np.zeros_like(shown))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (40, 33)])
def test_engines_agree(shape, rng):
    rgb = rng.uniform(-0.05, 1.05, (*shape, 3)).astype(np.float32)
    rgb[0, 0] = (1, 0, 1)
    gains, matrix = np.array([2.0, 1.0, 1.4], np.float32), (camera_to_srgb(CAMERAS["known"]) * 1.3).astype(np.float32)
    for contrast in (0, 0.9):
        results = []
        for engine in (naive, loops):
            encoded, luma = np.empty_like(rgb), np.empty(shape, np.float32)
            engine.encode_rows(0, shape[0], rgb, gains, matrix, np.float32(contrast), encoded, luma)
            results.append((encoded.copy(), luma))
            engine.sharpen_rows(0, shape[0], luma, luma[::-1].copy(), np.float32(0.7), encoded)
            results[-1] += (encoded,)
        for slow, fast in zip(*results, strict=True):
            np.testing.assert_allclose(fast, slow, atol=tolerances.FINISH_ABSOLUTE)
