"""Do no harm: where frames contradict each other the result is as good as the reference alone."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from conftest import frame_of

from burstsr import Burst, Settings, super_resolve
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.reconstruct.agreement import contradicted, excess, falling, mean_misfit, rising
from burstsr.reconstruct.data import Sampling, TileData
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.reconstruct.tiles import tiles
from burstsr.settings import RobustnessSettings
from reconstruct.scenes import simulated, waves

MODES = ["fast", "best"]
OWN = slice(3, 27), slice(3, 35)  # of the cells of a tile of `tile_of`: without its margins
NOISE = Noise.of_iso(400)
CREDULOUS = Settings(reference=0, measure_noise=False, robustness=RobustnessSettings(enabled=False))
REACH_PX = 16  # raw pixels around what is contradicted that may change


@cache
def scene(width=160):
    return simulated(waves(136, width), frames=5)


def with_patch(burst, top, left, side=20):
    """The burst with something else from the scene in a square of every frame but the first."""
    y, x = slice(top, top + side), slice(left, left + side)

    def other(frame):
        mosaic = frame.mosaic.copy()
        mosaic[y, x] = frame.mosaic[y, left - side - 4 : left - 4][::-1, ::-1][np.ix_(np.arange(side) ^ 1, np.arange(side) ^ 1)]  # mirrored; colours stay
        return frame.with_mosaic(mosaic)

    return Burst("patched", (burst.frames[0], *(other(frame) for frame in burst.frames[1:])))


@cache
def result(kind, mode, safeguard=True):
    burst = scene().burst
    chosen = {"patched": with_patch(burst, 24, 32), "still": burst, "single": Burst("single", burst.frames[:1])}[kind]
    return super_resolve(chosen, replace(CREDULOUS, mode=mode, safeguard=safeguard))


def square(shape, top, left, side=20, grown=-2):
    """(H', W') output pixels of a square of the frame with `grown` raw pixels around it; at first without those along its edge."""
    where = np.zeros(shape, bool)
    where[tuple(slice(max(2 * (first - grown), 0), 2 * (first + side + grown)) for first in (top, left))] = True
    return where


def error(image, truth, where):
    return float(np.sqrt(np.mean((image - truth)[where] ** 2)))


@pytest.mark.parametrize("mode", MODES)
def test_what_the_other_frames_show_differently_is_as_good_as_the_reference_alone(mode):
    truth = scene().truth
    where = square(truth.shape[:2], 24, 32)
    guarded, alone, unguarded = (error(r.image, truth, where) for r in (result("patched", mode), result("single", mode), result("patched", mode, False)))
    assert guarded < 1.15 * alone
    assert unguarded > 3 * alone  # there was something to guard against


@pytest.mark.parametrize("mode", MODES)
def test_elsewhere_the_result_is_the_same(mode):
    guarded, unguarded = result("patched", mode), result("patched", mode, False)
    far = ~square(guarded.image.shape[:2], 24, 32, grown=REACH_PX)
    np.testing.assert_allclose(guarded.image[far], unguarded.image[far], atol={"fast": 0, "best": 4e-3}[mode])


@pytest.mark.parametrize("mode", MODES)
def test_frames_that_agree_are_left_alone(mode):
    guarded = result("still", mode)
    np.testing.assert_array_equal(guarded.image, result("still", mode, False).image)
    assert guarded.report.reference_alone == 0


def test_the_share_of_the_reference_alone_is_reported():
    patch = 20 * 20 / np.prod(scene().burst.info.shape)
    assert patch < result("patched", "fast").report.reference_alone < 4 * patch
    assert result("patched", "fast", False).report.reference_alone == 0


def test_a_patch_across_tiles_has_no_seam():
    made = scene(width=288)  # two tiles, which meet at raw column 72
    burst = with_patch(made.burst, 24, 62)
    image, alone = (super_resolve(b, CREDULOUS).image for b in (burst, Burst("single", burst.frames[:1])))
    where = square(image.shape[:2], 24, 62)
    assert error(image, made.truth, where) < 1.15 * error(alone, made.truth, where)


def test_two_frames_that_contradict_each_other_give_the_reference():
    burst = with_patch(scene().burst, 24, 32)
    pair = Burst("pair", burst.frames[:2])
    where = square(scene().truth.shape[:2], 24, 32)
    image = super_resolve(pair, CREDULOUS).image
    assert error(image, scene().truth, where) < 1.15 * error(result("single", "fast").image, scene().truth, where)


def test_soft_limits_are_straight_between_their_ends():
    values = np.array([-1, 2, 3, 3.5, 4, np.inf], np.float32)
    np.testing.assert_allclose(rising(values, 3, 4), [0, 0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(falling(values, 3, 4), 1 - rising(values, 3, 4))


def test_the_mean_misfit_is_that_of_views_that_show_something(rng):
    misfits = [rng.uniform(1, 5, (4, 5)).astype(np.float32) for _ in range(3)]
    weights = [np.full((4, 5), w, np.float32) for w in (1, 0.5, 0)]
    np.testing.assert_allclose(mean_misfit(misfits, weights), (misfits[0] + 0.5 * misfits[1]) / 1.5, rtol=1e-5)
    misfits[0][0] = np.inf
    np.testing.assert_allclose(mean_misfit(misfits, weights)[0], misfits[1][0], rtol=1e-5)
    assert (mean_misfit([np.full((4, 5), np.inf, np.float32)], weights[:1]) == 0).all()


def tile_of(images, start, weights=(1.0, 1.0, 1.0)):
    """A tile that shows all of (48, 64) frames at scale 2, and an image of it."""
    frames, still, robust = [frame_of(image, noise=NOISE) for image in images], Flow.zero((48, 64), 16), np.ones((24, 32), np.float32)
    views = [RegisteredFrame(frame, still, robust, weight) for frame, weight in zip(frames, weights, strict=True)]
    (tile,) = tiles((96, 128), 216, 12)
    image = np.repeat(np.repeat(start, 2, 0), 2, 1)
    planes = tile.cut(np.stack([image] * 3, -1).astype(np.float32))
    data = TileData(tile, views, [view.flow.inverse() for view in views], planes, Sampling(NOISE, 2.0, np.ones(1, np.float32), np.zeros((0, 2), np.int64)))
    return data, planes


def noisy(image, rng):
    return image + np.sqrt(NOISE.variance(image, 1)) * rng.standard_normal(image.shape)


def test_noise_alone_exceeds_nothing(rng):
    flat = np.full((48, 64), 0.3)
    data, image = tile_of([noisy(flat, rng) for _ in range(3)], flat)
    for found in excess(data, image, 0.1):
        assert found[OWN].mean() == pytest.approx(1, abs=0.08)
    assert not contradicted(data, data.weighted(data.robustness_maps), image, 0.1, (2.5, 3.5)).any()


def test_errors_of_motion_are_expected_where_the_image_is_steep(rng):
    ramp = np.broadcast_to(0.1 + 0.01 * np.arange(64), (48, 64))
    data, image = tile_of([noisy(ramp + 0.001, rng) for _ in range(3)], ramp)
    small, large = (mean_misfit(excess(data, image, px), data.robustness_maps)[OWN] for px in (0.02, 0.3))
    assert (large < small).all()
    level, _ = tile_of([noisy(np.full((48, 64), 0.3), rng) for _ in range(3)], np.full((48, 64), 0.3))
    assert level.steepness_of_start.max() < 1e-6


def test_only_the_contradicted_cells_are_rejected_and_only_where_the_frame_counts(rng):
    flat = np.full((48, 64), 0.3)
    other = flat.copy()
    other[16:32, 24:40] = 0.5
    images = [noisy(v, rng) for v in (flat, other, flat)]
    data, image = tile_of(images, flat)
    noise_warning = contradicted(data, data.weighted(data.robustness_maps), image, 0.1, (2.5, 3.5))[OWN]
    assert (noise_warning[8:16, 12:20] == 1).all()
    far = np.ones_like(noise_warning, bool)
    far[2:22, 6:26] = False
    assert (noise_warning[far] == 0).all()
    data, image = tile_of(images, flat, weights=(1.0, 0.0, 1.0))
    assert not contradicted(data, data.weighted(data.robustness_maps), image, 0.1, (2.5, 3.5)).any()
