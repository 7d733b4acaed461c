"""Outliers of the reference: laws."""

import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import red_site, site_rows
from burstsr.robustness import RobustnessModel, inpaint_flow, loops, naive, repair_reference, statistics_loops
from burstsr.robustness.noise_curves import noise_curves
from burstsr.settings import RobustnessSettings

NOISE = Noise.of_iso(400)
SHAPE = (128, 160)


def frames_of(texture, rng, count=6):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return [0.3 * texture(y, x) + np.sqrt(NOISE.variance(0.2, 1)) * rng.standard_normal(SHAPE) for _ in range(count)]


def mend(images, index=0):
    frames = [frame_of(image, noise=NOISE) for image in images]
    flows = [Flow.zero(SHAPE, 16)] * len(frames)
    guide = RobustnessModel(frames[index], NOISE, RobustnessSettings())
    for i, frame in enumerate(frames):
        if i != index:
            guide.robustness_map(frame, flows[i])
    return frames, repair_reference(frames, index, flows, guide, NOISE)


def painted(image, kind):
    """The image with an outlier, and where it is."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    where = {"trail": np.abs(y - 0.5 * x - 20) < 1.5, "cosmic ray": (y == 61) & (abs(x - 80) < 2), "bird": np.hypot(y - 60, x - 80) < 14}[kind]
    return np.where(where, 0.02 if kind == "bird" else image + 0.35, image), where


@pytest.mark.parametrize("kind", ["trail", "cosmic ray", "bird"])
@pytest.mark.parametrize("count", [4, 6])
def test_an_outlier_of_the_reference_is_mended(kind, count, texture, rng):
    images = frames_of(texture, rng, count)
    images[1], where = painted(images[1], kind)
    frames, done = mend(images, 1)
    assert done is not None
    cells = where[::2, ::2] | where[1::2, ::2] | where[::2, 1::2] | where[1::2, 1::2]
    assert (done.robustness[cells] == 0).all()
    assert (done.robustness == 1).mean() > 0.6
    truth = 0.3 * texture(*np.mgrid[: SHAPE[0], : SHAPE[1]])
    shown = (done.frame.mosaic - 1024.0) / (65535 - 1024)
    assert np.abs(shown - truth)[where].max() < 6 * np.sqrt(NOISE.variance(0.2, 1))
    kept = np.repeat(np.repeat(done.robustness == 1, 2, 0), 2, 1)
    np.testing.assert_array_equal(done.frame.mosaic[kept], frames[1].mosaic[kept])


def test_an_outlier_of_another_frame_leaves_the_reference_alone(texture, rng):
    images = frames_of(texture, rng)
    images[1], _ = painted(images[1], "bird")
    assert mend(images, 0)[1] is None


def test_three_frames_cannot_tell_an_outlier(texture, rng):
    images = frames_of(texture, rng, 3)
    images[0], _ = painted(images[0], "bird")
    assert mend(images)[1] is None


def test_frames_that_contradict_each_other_too_leave_the_reference_alone(texture, rng):
    """A slow mover with texture, seen elsewhere in every frame."""
    images = frames_of(texture, rng)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for i in range(len(images)):
        inside = np.hypot(y - 60, x - 60 - 5 * i) < 22
        images[i] = np.where(inside, 0.5 + 0.3 * texture(3 * y, 3 * (x - 5 * i)), images[i])
    assert mend(images)[1] is None


def test_a_slow_smooth_mover_is_not_cut_in_half(texture, rng):
    images = frames_of(texture, rng, 8)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    images = [np.where(np.hypot(y - 60, x - 60 - 4 * i) < 22, 0.9, image) for i, image in enumerate(images)]
    for index in (0, 4):
        assert mend(images, index)[1] is None


def test_motion_behind_an_outlier_is_that_of_its_surroundings(rng):
    y, x = np.mgrid[:12, :16].astype(np.float32)
    true = np.stack([1.5 + 0.02 * y - 0.01 * x, -2 + 0.03 * x + 0.01 * y], -1).astype(np.float32)
    wrong = true.copy()
    wrong[4:7, 6:9] = rng.uniform(-9, 9, (3, 3, 2))
    region = np.zeros((96, 128), bool)
    region[32:56, 48:72] = True
    np.testing.assert_allclose(inpaint_flow(Flow(wrong, 16), np.argwhere(region)).tiles, true, atol=1e-3)
    np.testing.assert_array_equal(inpaint_flow(Flow(wrong, 16), np.zeros((0, 2), np.int64)).tiles, wrong)


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_looks_and_votes_agree(cfa, rng):
    frame = frame_of(rng.uniform(-0.01, 1, (34, 46)), cfa=cfa)
    levels = (frame.mosaic, *site_rows(frame.info.levels, 2), red_site(frame))
    variance, difference = noise_curves(NOISE, -0.05)
    position = rng.uniform(-1, 24, (40, 2)).astype(np.float32)
    mismatch = np.where(rng.uniform(size=(17, 23)) < 0.1, loops.UNSEEN, rng.uniform(0, 10, (17, 23))).astype(np.float32)
    results = []
    for module, statistics in ((naive, naive), (loops, statistics_loops)):
        out, limit = np.zeros((4, 40), np.float32), np.zeros((17, 23), np.float32)
        mean, sigma2 = np.zeros((3, 17, 23), np.float32), np.zeros((17, 23), np.float32)
        statistics.guide_rows(0, 17, *levels, variance, mean, sigma2)
        module.limit_rows(0, 17, mean, sigma2, difference, np.float32(5), np.float32(0.05), limit)
        contradicting, covering = np.zeros((2, 17, 23), np.uint16)
        for rows in ((0, 8), (8, 17)):
            module.vote_rows(*rows, mismatch, np.full_like(mismatch, 4), contradicting, covering)
        statistics.statistics_at(0, 40, position, *levels, variance, out)
        results.append((out, limit, contradicting, covering))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-5)


def test_a_bird_in_another_place_in_every_frame_gives_way_to_the_background(texture, rng):
    images = frames_of(texture, rng, 5)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    places = [np.hypot(y - 60, x - 20 - 30 * i) < 10 for i in range(5)]
    _, done = mend([np.where(where, 0.02, image) for image, where in zip(images, places, strict=True)], 2)
    assert done is not None
    assert (done.robustness[places[2][::2, ::2]] == 0).all()
    shown = (done.frame.mosaic - 1024.0) / (65535 - 1024)
    assert np.abs(shown - 0.3 * texture(y, x))[places[2]].max() < 6 * np.sqrt(NOISE.variance(0.2, 1))


@pytest.mark.parametrize("index", [0, 3, 7])
def test_a_walker_that_moves_by_less_than_its_own_size_stays_in_the_reference(index, texture, rng):
    """It was removed where it moved so fast that most frames show the background. A bird in one frame still is."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    images = frames_of(texture, rng, 8)
    walkers = [(np.abs(y - 64) < 18) & (np.abs(x - 15 - 16 * i) < 11) for i in range(8)]
    images = [np.where(where, 0.6 + 0.2 * texture(2 * y, 2 * (x - 16 * i)), image) for i, (image, where) in enumerate(zip(images, walkers, strict=True))]
    frames, done = mend(images, index)
    assert done is None
    bird = np.hypot(y - 15, x - 80) < 9
    images[index] = np.where(bird, 0.02, images[index])
    frames, done = mend(images, index)
    assert done is not None
    assert (done.robustness[bird[::2, ::2]] == 0).all()
    np.testing.assert_array_equal(done.frame.mosaic[walkers[index]], frames[index].mosaic[walkers[index]])
