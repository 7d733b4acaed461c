"""X-Trans and quad Bayer bursts from end to end."""

import cv2
import numpy as np
import pytest
from conftest import frame_of

import burstsr
from burstsr import Burst, Cfa, Noise, Settings, super_resolve
from burstsr.core.burst import Levels
from burstsr.demosaic import demosaic, upscale
from burstsr.simulate.motion import FrameMotion
from burstsr.simulate.sensor import expose, quantised, with_noise

SHAPE, MARGIN, SCALE = (72, 96), 24, 2.0
NOISE = Noise(np.array([4e-4, 3e-4, 5e-4]), np.array([2e-6, 1e-6, 3e-6]))
SHIFTS = [(0.0, 0.0), (0.4, 1.3), (-1.6, 0.7), (2.2, -0.9), (-0.7, -2.1), (1.5, 2.6), (0.9, -1.4), (-2.4, 0.2)]
PATTERNS = ["X-Trans", "quad RGGB"]


def scene_of():
    y, x = np.mgrid[: 2 * SHAPE[0] + 2 * MARGIN, : 2 * SHAPE[1] + 2 * MARGIN]
    grey = 0.45 + 0.15 * np.sin(x / 7 + y / 11) + 0.2 * np.sign(np.sin(x / 6.1) * np.sin(y / 7.3 + x / 40))
    tint = 0.1 * np.sin(x / 23 - y / 31)
    rgb = np.stack([grey + tint, grey, grey - tint])
    return np.stack([cv2.GaussianBlur(plane.astype(np.float32), (0, 0), 0.8) for plane in rgb])


def burst_of(scene, cfa, rng, noise=NOISE):
    """Frames of a scene (3, h, w) with known motion."""
    pattern = Cfa.parse(cfa)
    clean = [expose(scene, MARGIN, SCALE, FrameMotion(*shift), SHAPE, pattern) for shift in SHIFTS]
    mosaics = [quantised(with_noise(frame, noise, pattern, 0.0, rng), Levels(np.full((2, 2), 64.0), 4095.0)) for frame in clean]
    return Burst.from_arrays(mosaics, cfa, black=64, white=4095, noise=noise)


def psnr(image, truth):
    return float(-10 * np.log10(np.mean((image - truth)[16:-16, 16:-16] ** 2)))


@pytest.fixture(scope="module", params=PATTERNS)
def shot(request):
    scene = scene_of()
    return burst_of(scene, request.param, np.random.default_rng(4)), np.moveaxis(scene, 0, 2)[MARGIN:-MARGIN, MARGIN:-MARGIN]


@pytest.fixture(scope="module")
def result(shot):
    return super_resolve(shot[0], Settings(scale=SCALE, reference=0), keep_maps=True)


def test_a_burst_shows_more_than_a_frame(shot, result):
    burst, truth = shot
    assert result.image.shape == (144, 192, 3) and np.isfinite(result.image).all()
    assert psnr(result.image, truth) > psnr(upscale(demosaic(burst.frames[0]), SCALE), truth) + 2
    assert result.reference.cfa == burst.info.cfa and result.report.to_dict()["defects_repaired"] == 0


def test_the_reconstruction_is_better_than_the_merge(shot, result):
    burst, truth = shot
    best = super_resolve(burst, Settings(scale=SCALE, reference=0, mode="best"))
    assert psnr(best.image, truth) > psnr(result.image, truth) + 1
    assert best.report.to_dict()["reconstruction"]["residual"] == pytest.approx(1, abs=0.2)  # explained to the noise


def test_motion_is_that_of_the_scene(shot):
    found = burstsr.register(shot[0], Settings(reference=0))
    for flow, shift in zip(found.flows, SHIFTS, strict=True):
        np.testing.assert_allclose(np.median(flow.tiles, axis=(0, 1)), np.array(shift), atol=0.1)


def test_a_stream_merges_them_too(shot, result):
    merge = burstsr.StreamingMerge(Settings(scale=SCALE, reference=0))
    for frame in shot[0]:
        merge.add(frame)
    assert psnr(merge.finish().image, shot[1]) > psnr(result.image, shot[1]) - 5  # without sharpening


def test_a_grey_scene_gives_the_same_result_whatever_the_pattern(rng):
    y, x = np.mgrid[: 2 * SHAPE[0] + 2 * MARGIN, : 2 * SHAPE[1] + 2 * MARGIN]
    grey = np.repeat((0.4 + 0.2 * np.sin(x / 9) * np.sin(y / 11))[None], 3, 0).astype(np.float32)
    low = Noise(np.full(3, 1e-7), np.full(3, 1e-8))
    settings = Settings(scale=SCALE, reference=0, measure_noise=False)
    images = [super_resolve(burst_of(grey, cfa, rng, low), settings).image for cfa in ("RGGB", *PATTERNS)]
    for image in images:
        assert np.abs(image - image.mean(axis=2, keepdims=True))[16:-16, 16:-16].max() < 0.02
        assert np.abs(image - images[0])[16:-16, 16:-16].max() < 0.02


@pytest.mark.parametrize("cfa", PATTERNS)
def test_a_flat_field_stays_flat_and_has_the_stated_noise(cfa, rng):
    noise = Noise(np.full(3, 4e-4), np.full(3, 4e-6))
    settings = burstsr.SimulateSettings(cfa=cfa, frames=6, noise=noise, linear=True)
    flat = burstsr.simulate_burst(np.full((256, 320, 3), 0.35, np.float32), settings, rng).burst
    result = super_resolve(flat, Settings(reference=0))
    inner = result.image[32:-32, 32:-32]
    np.testing.assert_allclose(inner.mean(axis=(0, 1)), 0.35, atol=5e-4)
    for c in range(3):
        assert inner[..., c].var() == pytest.approx(result.noise_model.variance(0.35, c), rel=0.25)


def test_hot_pixels_are_repaired(shot):
    burst, _ = shot
    hot = [frame.mosaic.copy() for frame in burst]
    for mosaic in hot:
        mosaic[[30, 51], [41, 20]] = 4095
    spoiled = Burst.from_arrays(hot, burst.info.cfa, black=64, white=4095, noise=NOISE)
    assert super_resolve(spoiled, Settings(scale=1.0, reference=0, measure_noise=False)).report.to_dict()["defects_repaired"] == 2


def test_unknown_noise_is_estimated(shot):
    unknown = Burst.from_arrays([frame.mosaic for frame in shot[0]], shot[0].info.cfa, black=64, white=4095)
    result = super_resolve(unknown, Settings(scale=SCALE, reference=0, measure_noise=False))
    assert psnr(result.image, shot[1]) > psnr(upscale(demosaic(unknown.frames[0]), SCALE), shot[1]) + 1.5


@pytest.mark.parametrize("cfa", PATTERNS)
def test_a_single_frame_of_one_colour_is_that_colour(cfa):
    frame = frame_of(np.broadcast_to((0.2, 0.5, 0.8), (36, 48, 3)), cfa=cfa)
    np.testing.assert_allclose(demosaic(frame), np.broadcast_to((0.2, 0.5, 0.8), (36, 48, 3)), atol=2e-4)


@pytest.mark.parametrize("cfa", PATTERNS)
def test_a_bracket_shows_more_range_than_its_reference(cfa):
    y, x = np.mgrid[:200, :240]
    level = 0.1 + 0.05 * np.sin(x / 7) * np.sin(y / 9) + 2 * cv2.GaussianBlur(((x > 150) & (y > 120)).astype(np.float64), (0, 0), 3)
    light = (level[..., None] * np.array([0.5, 1.0, 0.7])).astype(np.float32)
    settings = burstsr.SimulateSettings(cfa=cfa, frames=3, iso=100, exposures_ev=(0.0, -2.0, 1.0), linear=True)
    made = burstsr.simulate_burst(light, settings, np.random.default_rng(3))
    image = super_resolve(made.burst, Settings(reference=0, measure_noise=False)).image
    error = np.abs(image - made.truth)[16:-16, 16:-16] / np.maximum(made.truth, 0.05)[16:-16, 16:-16]
    assert image.max() > 1.8 and np.median(error) < 0.06
    assert np.median(error[made.truth[16:-16, 16:-16] > 1]) < 0.06


@pytest.mark.parametrize("cfa", PATTERNS)
def test_noise_is_measured_from_a_burst(cfa):
    from calibration.noise import noise_from_burst

    y, x = np.mgrid[:512, :640]
    grey = 0.3 + 0.25 * np.sin(x / 130) * np.sin(y / 90) + 0.05 * np.sign(np.sin(x / 23) * np.sin(y / 31))
    light = np.repeat(grey[..., None], 3, 2).astype(np.float32)
    made = burstsr.simulate_burst(light, burstsr.SimulateSettings(cfa=cfa, frames=5, iso=400, linear=True), np.random.default_rng(2))
    record = noise_from_burst(made.burst)
    for c in range(3):
        assert record.noise.variance(0.3, c) == pytest.approx(made.noise.variance(0.3, c), rel=0.2)
