"""Outliers of a bracket's reference: trails of satellites give way, whatever the exposures; moving objects stay whole."""

import cv2
import numpy as np
import pytest

from burstsr import Settings
from burstsr.bracket import PairModels, bracket_of
from burstsr.bracket.outliers import repaired_reference
from burstsr.core.burst import Burst
from burstsr.report import Record
from burstsr.robustness import RobustnessModel, Witnesses, majority, median_of_finite, repair_reference
from burstsr.simulate import SimulateSettings, simulate_burst

SIDE = 160  # raw pixels of a frame
NEUTRAL = np.array([0.5, 1.0, 0.625], np.float32)


def dim_scene(seed=3):
    """Linear camera RGB of a dim scene: grey texture of several scales around 0.05."""
    rng = np.random.default_rng(seed)
    side = 2 * SIDE
    coarse = (rng.uniform(-1, 1, (side // n, side // n)).astype(np.float32) for n in (8, 20, 64))
    texture = sum(cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in coarse)
    return (0.05 * np.exp(0.35 * texture)[..., None] * NEUTRAL).astype(np.float32)


def simulated(evs, iso, seed=0):
    return simulate_burst(dim_scene(), SimulateSettings(frames=len(evs), iso=iso, exposures_ev=tuple(evs), linear=True), np.random.default_rng(seed))


def drawn(frame, share, level):
    """The frame with a level, of its saturation, on top of the scene where `share` is 1."""
    levels = frame.info.levels
    bright = frame.mosaic + share * level * (levels.white - levels.black.mean())
    return frame.with_mosaic(np.clip(np.rint(bright), 0, levels.white).astype(np.uint16))


def streak(slope=0.37, offset=50.0, width=1.5):
    """A straight streak, antialiased."""
    y, x = np.mgrid[: 4 * SIDE, : 4 * SIDE] / 4
    inside = np.abs(y - slope * x - offset) / np.hypot(1, slope) < width / 2
    return cv2.resize(inside.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def level(frame):
    """The samples of a frame, in common units."""
    levels = frame.info.levels
    return (frame.mosaic - levels.black.mean()) * levels.scale().mean()


def of_cells(mask):
    return mask.reshape(SIDE // 2, 2, SIDE // 2, 2).any(axis=(1, 3))


def repaired(frames, index=0):
    """The reference in common units as it was, and repaired."""
    burst, settings = Burst("b", tuple(frames)), Settings(reference=index)
    bracket = bracket_of(burst, index, Record(burst, settings))
    models = PairModels(bracket.burst.frames, index, settings, bracket.noise.model)
    found = {i: models.estimate_flow(i) for i in models.order}
    flows = [found[i] for i in range(len(burst))]
    for frame, flow in zip(models.frames, flows, strict=True):
        models.robustness_map(frame, flow)
    return bracket, models.frames[index], repaired_reference(models, flows, settings)


@pytest.mark.parametrize(
    "evs, iso",
    [
        ((0, 2, 2, -2, -2), 100),
        ((0, 2, 2, -2, -2), 3200),  # the short exposures do not see it for noise: two frames tell
        ((0, 1, -1, 2, -2), 3200),
        ((0, -2, 2, -2, 2, 0), 3200),
        ((0, -2, 2), 100),
    ],
)
def test_a_trail_in_the_reference_is_replaced_to_within_noise(evs, iso):
    """It stayed, in part or whole, where fewer than three frames were quiet enough to contradict it."""
    simulation, trail = simulated(evs, iso), streak()
    first, *others = simulation.burst.frames
    bracket, before, done = repaired([drawn(first, trail, 0.45), *others])
    assert done is not None
    assert (done.robustness[of_cells(trail > 0.5)] == 0).mean() > 0.95
    assert (done.robustness == 1).mean() > 0.8
    _, clean, _ = repaired(simulation.burst.frames)
    on = trail > 0.5
    noise = bracket.burst.frames[0].noise(bracket.noise.model)
    sigma = float(np.sqrt(noise.variance(level(clean)[on].mean(), 1)))
    difference = (level(done.frame) - level(clean))[on]
    assert abs(float(difference.mean())) < 0.25 * sigma < 0.1 * float((level(before) - level(clean))[on].mean())
    assert float(difference.std()) < 2 * sigma
    np.testing.assert_array_equal(
        done.frame.mosaic[np.kron(done.robustness, np.ones((2, 2))) == 1], before.mosaic[np.kron(done.robustness, np.ones((2, 2))) == 1]
    )


@pytest.mark.parametrize("evs", [(0, 2, 2, -2, -2), (0, -2, 2), (0, 1, -1, 2, -2)])
@pytest.mark.parametrize("iso", [100, 1600])
def test_a_dim_scene_without_outliers_stays_as_it_is(evs, iso):
    assert repaired(simulated(evs, iso).burst.frames)[2] is None


@pytest.mark.parametrize("evs", [(0, 2, 2, -2, -2), (0, 2, -2), (-2, 0, 2)])
@pytest.mark.parametrize("step", [4, 9, 16, 26])
@pytest.mark.parametrize("iso", [100, 1600])
def test_a_moving_object_is_not_torn(evs, step, iso):
    """It is kept whole, or, where most frames show what is behind it, removed whole."""
    y, x = np.mgrid[:SIDE, :SIDE]
    simulation, index = simulated(evs, iso), evs.index(0)
    places = [np.clip(10.5 - np.hypot(y - 80, x - 30 - step * i), 0, 1) for i in range(len(evs))]
    frames = [drawn(frame, place, 0.1 * 2.0**ev) for frame, place, ev in zip(simulation.burst.frames, places, evs, strict=True)]
    done = repaired(frames, index)[2]
    gone = 0.0 if done is None else float((done.robustness[of_cells(places[index] > 0.5)] == 0).mean())
    assert gone == 0.0 or gone > 0.98
    assert gone == 0.0 or len(evs) > 3


def test_two_frames_do_not_remove_what_one_of_them_shows_elsewhere():
    """A trail of the same kind at another place in another frame: the object moves. Alone, it is removed."""
    simulation = simulated((0, -2, 2), 100)
    first, short, long = simulation.burst.frames
    here, there = streak(offset=40), streak(offset=75)
    assert repaired([drawn(first, here, 0.4), short, long])[2] is not None
    assert repaired([drawn(first, here, 0.4), short, drawn(long, there, 0.4)])[2] is None


def test_frames_of_one_exposure_are_repaired_the_same_with_and_without_witnesses():
    simulation = simulated((0,) * 5, 400)
    frames, noise = list(simulation.burst.frames), simulation.noise
    frames[0] = drawn(frames[0], streak(), 0.4)
    settings = Settings()
    models = PairModels(frames, 0, settings, noise)
    flows = [models.estimate_flow(i) for i in range(5)]
    guide = RobustnessModel(frames[0], noise, settings.robustness)
    for frame, flow in zip(frames[1:], flows[1:], strict=True):
        guide.robustness_map(frame, flow)
    alike = Witnesses(majority(guide.contradicting, guide.covering), [None] * 5, [3.0] * 5)
    one, other = (repair_reference(frames, 0, flows, guide, noise, witnesses) for witnesses in (None, alike))
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.frame.mosaic, other.frame.mosaic)


def test_a_weighted_median():
    values = np.array([[4, 1, np.nan], [1, 2, np.nan], [3, np.nan, np.nan], [2, 4, np.nan]], np.float32)
    np.testing.assert_array_equal(median_of_finite(values), np.array([2.5, 2, np.nan], np.float32))
    np.testing.assert_array_equal(median_of_finite(values, np.full(4, 0.3, np.float32)), median_of_finite(values))
    np.testing.assert_array_equal(median_of_finite(values, np.array([0.1, 9, 0.1, 0.1], np.float32)), np.array([1, 2, np.nan], np.float32))
