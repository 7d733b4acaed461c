"""Brackets of arrays: exposure ratios, uniform bursts, highlights beyond the reference's saturation, borders of clipped areas."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from burstsr import Settings, register, super_resolve
from burstsr.bracket import bound_loops, bracket_of
from burstsr.bracket.blocks import blocks_of
from burstsr.bracket.exposure import measure_ratios
from burstsr.bracket.extended_reference import RootImage, extended
from burstsr.bracket.guide import UpperBound, guide_of
from burstsr.core.burst import Burst
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import CHANNEL_SHARE, samples
from burstsr.develop import limit_to_neighbours, raise_beside_highlights
from burstsr.report import Record
from burstsr.simulate import SimulateSettings, flow_at, simulate_burst
from calibration.coverage import measure_coverage

NEUTRAL = np.array([0.5, 1.0, 0.625], np.float32)
EVS = (0.0, -3.0, 2.0)


def scene(side=320, top=3.0, seed=3):
    """Linear camera RGB: grey texture of several scales around 0.1, with a soft-edged bright window and lamp of up to `top`."""
    rng = np.random.default_rng(seed)
    coarse = (rng.uniform(-1, 1, (side // n, side // n)).astype(np.float32) for n in (4, 8, 20, 64))
    texture = sum(cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC) for part in coarse)
    level = 0.1 * np.exp(0.35 * texture)
    light = np.zeros((side, side), np.float32)
    light[side // 8 : side // 2, side // 8 : side // 3] = 1
    cv2.circle(light, (2 * side // 3, 2 * side // 3), side // 8, 0.6, -1)
    return ((level * (1 + (top / 0.1 - 1) * cv2.GaussianBlur(light, (0, 0), 2.5)))[..., None] * NEUTRAL).astype(np.float32)


def simulated(evs=EVS, iso=100.0, seed=0, side=320, **more):
    settings = SimulateSettings(frames=len(evs), iso=iso, exposures_ev=tuple(evs), linear=True, **more)
    return simulate_burst(scene(side), settings, np.random.default_rng(seed))


def without_exif(burst):
    infos = [replace(frame.info, iso=0.0, exposure_s=0.0) for frame in burst]
    return Burst(burst.name, tuple(frame.with_info(info) for frame, info in zip(burst, infos, strict=True)))


def common_units(burst, reference=0):
    return bracket_of(burst, reference, Record(burst, Settings()))


@pytest.mark.parametrize("iso, tolerance", [(100, 0.005), (3200, 0.02)])
def test_exposure_ratios_are_recovered_without_exif(iso, tolerance):
    simulation = simulated((0, -1, 1, 2), iso, side=640)
    frames = without_exif(simulation.burst).frames
    found = measure_ratios(frames, [blocks_of(frame, simulation.noise) for frame in frames], 0)
    assert [ratio.value for ratio in found] == pytest.approx([1, 0.5, 2, 4], rel=tolerance)
    for ratio, truth in zip(found[1:], (0.5, 2, 4), strict=True):
        assert abs(ratio.value / truth - 1) < 3 * ratio.error < 3 * tolerance


def test_the_ratio_of_a_frame_near_black_allows_for_noise_that_is_clipped_there():
    """Issue 17: at ISO 3200 raw value 0 is less than a standard deviation below black, and darker frames were not measured."""
    simulation = simulated((0, -2), 3200, side=640)
    frames = without_exif(simulation.burst).frames
    found = measure_ratios(frames, [blocks_of(frame, simulation.noise) for frame in frames], 0)[1]
    assert abs(found.value / 0.25 - 1) < min(0.06, 3 * found.error)


@pytest.mark.parametrize("iso, tolerance", [(100, 0.005), (3200, 0.02)])
def test_a_wrong_exif_ratio_is_noticed_and_corrected(iso, tolerance):
    simulation = simulated((0, -1, 1), iso, side=640)
    wrong = simulation.burst.frames[1]
    wrong = wrong.with_info(replace(wrong.info, exposure_s=wrong.info.exposure_s * 2 ** (1 / 3)))
    bracket = common_units(Burst("b", (simulation.burst.frames[0], wrong, simulation.burst.frames[2])))
    assert bracket.ratios[1].value == pytest.approx(0.5, rel=tolerance)
    assert bracket.ratios[1].to_dict()["difference_from_exif"] == pytest.approx(2 ** (-1 / 3) - 1, abs=tolerance)


def test_a_uniform_burst_is_no_bracket():
    simulation = simulated((0, 0, 0))
    assert common_units(simulation.burst) is None
    assert common_units(without_exif(simulation.burst)) is None


def test_frames_of_which_a_part_shows_something_else_are_no_bracket():
    simulation = simulated((0, 0, 0))
    frames = list(without_exif(simulation.burst).frames)
    other = frames[2].mosaic.copy()
    other[:, 80:] = 8000
    frames[2] = frames[2].with_mosaic(other)
    assert common_units(Burst("b", tuple(frames))) is None


def test_samples_of_all_exposures_have_common_units_and_their_own_noise():
    simulation = simulated()
    bracket = common_units(simulation.burst)
    assert bracket.peak == pytest.approx(8, rel=0.02)
    for frame, ev in zip(bracket.burst, EVS, strict=True):
        assert frame.info.levels.saturation == pytest.approx(2.0**-ev / 8, rel=0.02)
        own = bracket.burst.frames[0].info.own_noise
        assert frame.info.own_noise.alpha == pytest.approx(own.alpha * 2.0**-ev, rel=0.02)
        assert frame.info.own_noise.beta == pytest.approx(own.beta * 4.0**-ev, rel=0.04)


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_highlights_match_the_truth_above_saturation_without_a_tint(mode):
    simulation = simulated()
    result = super_resolve(simulation.burst, Settings(reference=0, mode=mode, measure_noise=False))
    truth = simulation.truth
    bright = cv2.erode((truth[..., 1] > 1.5).astype(np.uint8), np.ones((9, 9))) > 0
    assert np.quantile(np.abs(result.image / truth - 1)[bright], 0.95) < 0.1
    assert result.image[bright].mean(0) == pytest.approx(truth[bright].mean(0), rel=0.02)
    balanced = np.maximum(result.image / NEUTRAL, 0.01)
    tint = np.abs(np.log(balanced[..., 0] / balanced[..., 1])) + np.abs(np.log(balanced[..., 2] / balanced[..., 1]))
    near = np.zeros(tint.shape, bool)
    for ev in EVS:
        over = (truth.max(-1) >= 2.0**-ev).astype(np.uint8)
        near |= (cv2.dilate(over, np.ones((17, 17))) > 0) & (cv2.erode(over, np.ones((17, 17))) == 0)
    assert tint[near].mean() < 1.2 * tint[~near].mean() + 0.01


def test_noise_in_shadows_is_that_of_the_longest_exposure():
    bracket, uniform = (simulated(evs, 800) for evs in ((0, -3, 3), (0, 0, 0)))
    dark = bracket.truth[..., 1] < 0.08
    errors = []
    for simulation in (bracket, uniform):
        result = super_resolve(simulation.burst, Settings(reference=0, measure_noise=False))
        errors.append(float(np.square(result.image - simulation.truth)[dark].mean()))
    assert errors[0] < 0.6 * errors[1]


def test_the_report_has_the_exposure_of_every_frame():
    simulation = simulated((0, -2, 2))
    frames = super_resolve(simulation.burst, Settings(measure_noise=False, reference=0)).report["frames"]
    assert [frame["exposure"]["exif_ratio"] for frame in frames] == [1.0, 0.25, 4.0]
    assert all(abs(frame["exposure"]["difference_from_exif"]) < 0.02 for frame in frames)


def test_one_frame_of_a_bracket_and_frames_of_one_sample_value_raise_nothing():
    simulation = simulated((0, 3))
    dead = simulation.burst.frames[1]
    dead = dead.with_mosaic(np.full_like(dead.mosaic, 16383)).with_info(replace(dead.info, path=Path("dead.dng")))
    result = super_resolve(Burst("b", (simulation.burst.frames[0], dead)), Settings(measure_noise=False))
    assert np.isfinite(result.image).all()


def test_a_frame_that_disagrees_elsewhere_still_fills_what_the_reference_clips():
    """A moving object rejects whole tiles of the shorter exposure: its highlights are used where they are as bright as the reference demands."""
    bracket = common_units(simulated((0, -3)).burst)
    reference, shorter = bracket.burst
    shape = (reference.info.shape[0] // 2, reference.info.shape[1] // 2)
    still = Flow.zero(reference.info.shape, 16)
    full, none = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    views = [(reference, still, full), (shorter, still, none)]
    own = reference.info.levels.saturation
    filled = extended(views, 0).samples
    clipped = samples(reference.mosaic, reference.info.levels) >= 0.98 * own
    assert filled[clipped].min() >= 0.97 * own and np.median(filled[clipped]) > 1.5 * own
    dark = shorter.with_mosaic(np.minimum(shorter.mosaic, 1000))
    assert np.quantile(extended([views[0], (dark, still, none)], 0).samples[clipped], 0.99) <= 2 * own


def test_a_frame_that_disagrees_gives_cells_of_which_the_reference_shows_a_part_its_colour_alone():
    """Issue 17: a mover in highlights had the red of one moment and the green of another."""
    levels = (np.full((64, 64), 1.6, np.float32), np.full((64, 64), 3.0, np.float32))  # of a neutral: green of the reference is clipped, red is not
    channels = np.tile([[0, 1], [1, 2]], (32, 32))
    mosaics = [np.clip(np.rint(16000 * level * NEUTRAL[channels] * gain), 0, 16000).astype(np.uint16) for level, gain in zip(levels, (1, 0.25), strict=True)]
    burst = Burst.from_arrays(mosaics, white=16000.0, noise=Noise.of_iso(100), as_shot_neutral=NEUTRAL)
    frames = [f.with_info(replace(f.info, levels=replace(f.info.levels, saturation=s))) for f, s in zip(burst.frames, (0.25, 1.0), strict=True)]
    still, shape = Flow.zero((64, 64), 16), (32, 32)
    found = extended([(frames[0], still, np.ones(shape, np.float32)), (frames[1], still, np.zeros(shape, np.float32))], 0).samples
    np.testing.assert_allclose(found, 0.25 * 1.6 * NEUTRAL[channels], rtol=0.01)


def test_what_no_frame_shows_is_neutral():
    bracket = common_units(simulated((0, 2), side=64).burst)
    longer = bracket.burst.frames[1]
    full = longer.with_mosaic(np.full_like(longer.mosaic, 16383))
    still = Flow.zero(longer.info.shape, 16)
    found = extended([(full, still, np.ones((16, 16), np.float32))], 0).samples
    rgb = np.array([found[::2, ::2].mean(), found[::2, 1::2].mean(), found[1::2, 1::2].mean()])
    assert rgb / rgb[1] == pytest.approx(NEUTRAL, rel=0.01)
    assert found.min() >= 0.98 * longer.info.levels.saturation


def test_the_guide_has_the_noise_of_longer_exposures_in_the_shadows():
    """Issue 17: kernels, fallback and detail of the reference were those of its own noise."""
    simulation = simulated((0, 3), 1600, motion="tripod")
    bracket = common_units(simulation.burst)
    shape = tuple(n // 2 for n in bracket.burst.frames[0].info.shape)
    views = [(frame, Flow.zero(frame.info.shape, 16), np.ones(shape, np.float32)) for frame in bracket.burst]
    highlights = extended(views, 0)
    guide = guide_of(views, 0, highlights, bracket.noise.model)
    truth = cv2.resize(simulation.truth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[::2, 1::2, 1] / bracket.peak
    dark = truth < 0.8 * bracket.burst.frames[1].info.levels.saturation
    before, now = (np.square(values[::2, 1::2] - truth)[dark].mean() for values in (highlights.samples, guide.samples))
    assert now < 0.08 * before


def test_a_longer_exposure_limits_the_dark_side_of_a_highlight():
    simulation = simulated((0, 3), motion="tripod")
    bracket = common_units(simulation.burst)
    longer = bracket.burst.frames[1]
    bound = UpperBound.of(longer, Flow.zero(longer.info.shape, 16), np.ones([n // 2 for n in longer.info.shape], np.float32), longer, bracket.noise.model)
    image = np.ones((320, 320, 3), np.float32)
    bound(image, 2.0)
    luma, truth = image @ [0.25, 0.5, 0.25], simulation.truth @ [0.25, 0.5, 0.25] / bracket.peak
    dark, clipped = truth < 0.7 * longer.info.levels.saturation, truth > 1.5 * longer.info.levels.saturation
    assert np.quantile(luma[dark] / truth[dark], 0.9) < 2 and (luma[clipped] == 1).mean() > 0.98


def test_the_compiled_bound_is_its_formula(rng):
    image, own = rng.random((2, 9, 11, 3), np.float32)
    certain = rng.random((9, 11), np.float32)
    luma = own @ CHANNEL_SHARE
    room, above = 0.2 * luma + 1.5 * np.sqrt(0.01 * luma + 0.001), image @ CHANNEL_SHARE - luma
    limited = (certain > 0.3) & (own.max(axis=-1) < 0.9) & (above > room)
    expected = np.where(limited[..., None], own + (image - own) * (room / np.where(limited, above, 1))[..., None], image)
    bound_loops.limit(image, own, certain, *np.float32([0.3, 0.9, 0.2, 1.5, 0.01, 0.001]))
    assert limited.any() and not limited.all()
    np.testing.assert_allclose(image, expected, rtol=1e-5)


def test_sharpening_is_limited_alike_in_all_strips(rng):
    before = rng.random((150, 20, 3), np.float32)
    image, kernel = 3 * rng.random(before.shape, np.float32) - 1, np.ones((5, 5), np.uint8)
    expected = np.clip(image, 0.8 * cv2.erode(before, kernel), 1.2 * cv2.dilate(before, kernel))
    limit_to_neighbours(image, before, 2.0)
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_what_an_image_shows_at_the_samples_of_a_moved_frame():
    y, x = np.mgrid[:40, :48].astype(np.float32)
    image = np.stack([0.1 + 0.01 * y, 0.2 + 0.01 * x, 0.3 + 0.005 * (x + y)], axis=-1)
    frame = Burst.from_arrays([np.zeros((40, 48), np.uint16)] * 2, black=0.0, white=1000.0).frames[0]
    flow = Flow(np.full((3, 3, 2), (1.5, -0.75), np.float32), 16)
    expected = np.stack([0.1 + 0.01 * (y + 1.5), 0.2 + 0.01 * (x - 0.75), 0.3 + 0.005 * (x + y + 0.75)], axis=-1)
    channels = frame.info.cfa.channel_map((40, 48)).astype(int)[..., None]
    shown, inner = RootImage(image).at_samples(frame, flow), (slice(6, -6),) * 2
    np.testing.assert_allclose(shown[inner], np.take_along_axis(expected, channels, 2)[..., 0][inner], rtol=3e-3)


def test_the_motion_of_a_bracket_is_registered_in_common_units():
    """Issue 17: `register` and `inspect` compared the exposures as they are."""
    simulation = simulated((0, -3, 2))
    found = register(simulation.burst, Settings(reference=0))
    for flow, motion in zip(found.flows, simulation.motions, strict=True):
        truth = flow_at(motion, np.array([[80.0, 80.0]]), simulation.burst.info.shape)[0]
        assert np.abs(flow.at(np.array([80.0]), np.array([80.0])).ravel() - truth).max() < 0.3
    assert measure_coverage(simulation.burst).motion_unknown == 0


def test_an_outlier_of_the_reference_of_a_bracket_is_mended():
    """Issue 17: a satellite or a cosmic ray in the reference stayed."""
    simulation = simulated((0, -1, 1, 2, -2), 200)
    y, x = np.mgrid[:160, :160]
    trail = np.abs(y - 0.5 * x - 70) < 1.5
    first = simulation.burst.frames[0]
    spoilt = first.with_mosaic(np.where(trail, np.minimum(first.mosaic + 6000, 16383), first.mosaic).astype(np.uint16))
    burst = Burst("b", (spoilt, *simulation.burst.frames[1:]))
    settings = Settings(reference=0, measure_noise=False)
    with_trail, clean = super_resolve(burst, settings), super_resolve(simulation.burst, settings)
    seen = cv2.resize(trail.astype(np.uint8), (320, 320), interpolation=cv2.INTER_NEAREST) > 0
    seen &= simulation.truth[..., 1] < 0.3
    errors = [float(np.abs(v.image - simulation.truth)[seen].mean()) for v in (with_trail, clean)]
    assert errors[0] < 1.5 * errors[1] + 0.003 < 0.1


def test_dark_ringing_is_raised_beside_highlights_alone():
    merged = np.full((40, 60, 3), 0.1, np.float32)
    merged[:, :10] = 3.0
    image = merged.copy()
    image[20, [12, 40]] = -0.05  # black specks, one beside the highlight
    raise_beside_highlights(image, merged, saturation=1 / 4, scale=2.0)
    np.testing.assert_allclose(image[20, 12], 0.08, atol=1e-6)  # a fifth below what is near
    np.testing.assert_allclose(image[20, 40], -0.05)
    image[20, [12, 40]] = 0.1
    np.testing.assert_array_equal(image, merged)


def test_a_monochrome_bracket_is_reconstructed():
    """Its result has one plane, its merge three."""
    grey = scene(side=96, top=3.0)[..., 1]
    rng = np.random.default_rng(2)
    mosaics = [np.uint16(np.clip(64 + 960 * (grey[:96, :96] * gain + 0.002 * rng.standard_normal((96, 96))), 0, 1023)) for gain in (1.0, 0.125, 4.0)]
    made = Burst.from_arrays(mosaics, "mono", black=64, white=1023, noise=Noise(np.array([1e-5]), np.array([4e-6])))
    result = super_resolve(made, Settings(mode="best", reference=0, measure_noise=False))
    assert result.image.shape == (192, 192, 1) and np.isfinite(result.image).all() and result.peak > 1
