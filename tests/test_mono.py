"""Monochrome bursts from end to end: one channel in, one channel out."""

import cv2
import numpy as np
import pytest
import rawpy

import burstsr
from burstsr import Burst, Noise, Settings, super_resolve
from burstsr.align import expected_gain_db, sampling_uniformity, subpixel_phases
from burstsr.core.burst import Levels
from burstsr.core.cfa import Cfa
from burstsr.core.mono import cell_channels, sample_channels
from burstsr.core.sensor import red_site
from burstsr.io import tags as t
from burstsr.io.tags import read_tags
from burstsr.settings import MergeSettings
from burstsr.simulate.motion import FrameMotion
from burstsr.simulate.sensor import expose, quantised, with_noise

SHAPE, MARGIN, SCALE = (72, 96), 24, 2.0
NOISE = Noise(np.array([4e-4]), np.array([2e-6]))
SHIFTS = [(0.0, 0.0), (0.4, 1.3), (-1.6, 0.7), (2.2, -0.9), (-0.7, -2.1), (1.5, 2.6), (0.9, -1.4), (-2.4, 0.2)]


@pytest.fixture(scope="module")
def shot():
    """A burst with known noise, and its truth."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[: 2 * SHAPE[0] + 2 * MARGIN, : 2 * SHAPE[1] + 2 * MARGIN]
    scene = 0.45 + 0.15 * np.sin(x / 7 + y / 11) + 0.2 * np.sign(np.sin(x / 6.1) * np.sin(y / 7.3 + x / 40))
    scene = cv2.GaussianBlur(scene.astype(np.float32), (0, 0), 0.8)
    mono = Cfa.parse("mono")
    clean = [expose(scene[None], MARGIN, SCALE, FrameMotion(*shift), SHAPE, mono) for shift in SHIFTS]
    mosaics = [quantised(with_noise(frame, NOISE, mono, 0.0, rng), Levels(np.full((2, 2), 64.0), 4095.0)) for frame in clean]
    return Burst.from_arrays(mosaics, "mono", black=64, white=4095, noise=NOISE), scene[MARGIN:-MARGIN, MARGIN:-MARGIN]


@pytest.fixture(scope="module")
def result(shot):
    return super_resolve(shot[0], Settings(scale=SCALE, reference=0), keep_maps=True)


def psnr(image, truth):
    return float(-10 * np.log10(np.mean((image - truth)[16:-16, 16:-16] ** 2)))


def test_a_burst_shows_more_than_a_frame(shot, result):
    burst, truth = shot
    frame = (burst.frames[0].mosaic - np.float32(64)) / np.float32(4031)
    bicubic = cv2.resize(frame, (truth.shape[1], truth.shape[0]), interpolation=cv2.INTER_CUBIC)
    assert psnr(result.image[..., 0], truth) > psnr(bicubic, truth) + 2


def test_everything_has_one_channel(shot, result):
    size = (144, 192, 1)
    assert result.image.shape == result.weight.shape == result.noise.shape == size
    assert result.image.dtype == np.float32 and result.image.flags.c_contiguous and np.isfinite(result.image).all()
    assert result.noise_model.alpha.shape == result.noise_model.beta.shape == (1,) and 0 < result.noise_model.alpha[0] < NOISE.alpha[0]
    assert result.reference.cfa == Cfa.parse("mono")
    noise = result.report.to_dict()["noise"]
    assert (noise["alpha"], noise["beta"]) == (NOISE.alpha.tolist(), NOISE.beta.tolist())


def test_all_samples_of_a_bayer_sensor_count_in_the_one_channel(shot, result):
    three = Noise(np.repeat(NOISE.alpha, 3), np.repeat(NOISE.beta, 3))
    bayer = Burst.from_arrays([frame.mosaic for frame in shot[0]], "RGGB", black=64, white=4095, noise=three)
    weight = super_resolve(bayer, Settings(scale=SCALE, reference=0, measure_noise=False), keep_maps=True).weight
    np.testing.assert_allclose(result.weight[..., 0], weight.sum(axis=2), rtol=1e-4, atol=1e-4)


def test_motion_is_that_of_the_scene(shot):
    found = burstsr.register(shot[0], Settings(reference=0))
    for flow, shift in zip(found.flows, SHIFTS, strict=True):
        np.testing.assert_allclose(np.median(flow.tiles, axis=(0, 1)), np.array(shift), atol=0.1)


def test_unknown_noise_is_estimated_in_one_channel(shot):
    burst, truth = shot
    unknown = Burst.from_arrays([frame.mosaic for frame in burst], "mono", black=64, white=4095)
    found = burstsr.estimate_noise(unknown).model
    assert found.alpha.shape == found.beta.shape == (1,)
    assert found.variance(0.4, 0) == pytest.approx(NOISE.variance(0.4, 0), rel=0.3)
    image = super_resolve(unknown, Settings(scale=SCALE, reference=0, measure_noise=False)).image
    assert psnr(image[..., 0], truth) == pytest.approx(psnr(super_resolve(burst, Settings(scale=SCALE, reference=0)).image[..., 0], truth), abs=0.5)


def test_a_stream_gives_the_same(shot):
    burst, truth = shot
    plain = MergeSettings(back_projection_iterations=0)
    settings = Settings(scale=SCALE, reference=0, merge=plain, weigh_blur=False, safeguard=False, measure_noise=False)
    merge = burstsr.StreamingMerge(settings)
    for frame in burst:
        merge.add(frame)
    streamed, whole = merge.finish(), super_resolve(burst, settings)
    assert streamed.image.shape == streamed.weight.shape == (144, 192, 1) and streamed.reference == burst.info
    assert len(streamed.report.to_dict()["noise"]["alpha"]) == 1
    np.testing.assert_allclose(streamed.image, whole.image, atol=2e-4)


def test_shifts_by_whole_pixels_are_one_phase_without_a_filter_array(shot):
    burst, _ = shot
    flows = [burstsr.Flow.zero(SHAPE, 16), burstsr.Flow(np.full((5, 6, 2), 1.0, np.float32), 16), burstsr.Flow(np.full((5, 6, 2), -3.0, np.float32), 16)]
    assert (subpixel_phases(flows, 2.0), subpixel_phases(flows, 2.0, 1)) == (2, 1)
    half = np.array([(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
    assert sampling_uniformity(half, 2.0, 1) == pytest.approx(1) and sampling_uniformity(half[:1], 1.0, 1) == 1
    assert sampling_uniformity(half, 2.0) < 0.95
    same = np.zeros((4, 2))
    assert expected_gain_db(half, 2.0, 50.0, mono=True) > expected_gain_db(same, 2.0, 50.0, mono=True) + 2
    assert expected_gain_db(same, 2.0, 50.0, mono=True) == pytest.approx(expected_gain_db(same + 1, 2.0, 50.0, mono=True))


def test_a_single_frame_is_its_own_samples(shot):
    burst, _ = shot
    image = super_resolve(Burst("one", burst.frames[:1]), Settings(scale=1.0, measure_noise=False)).image
    np.testing.assert_allclose(image[..., 0], (burst.frames[0].mosaic - 64.0) / 4031.0, atol=0.03)


def test_hot_pixels_are_repaired(shot):
    burst, _ = shot
    hot = [frame.mosaic.copy() for frame in burst]
    for mosaic in hot:
        mosaic[30, 41] = 4095
    spoiled = super_resolve(Burst.from_arrays(hot, "mono", black=64, white=4095, noise=NOISE), Settings(scale=1.0, reference=0))
    assert spoiled.report.to_dict()["defects_repaired"] == 1 and spoiled.image.max() < 0.95


def test_a_rendering_is_grey(result):
    shown = burstsr.render(result)
    assert shown.shape == (144, 192, 3) and np.ptp(shown, axis=2).max() < 1e-5 and 0 <= shown.min() < shown.max() <= 1


def test_the_reconstruction_is_better_than_the_merge(shot, result):
    burst, truth = shot
    best = super_resolve(burst, Settings(scale=SCALE, reference=0, mode="best"), keep_maps=True)
    assert best.image.shape == best.noise.shape == best.weight.shape == (144, 192, 1) and (best.noise > 0).all()
    assert psnr(best.image[..., 0], truth) > psnr(result.image[..., 0], truth) + 1
    assert best.report.to_dict()["reconstruction"]["residual"] == pytest.approx(1, abs=0.2)  # explained to the noise
    assert 0 < best.noise_model.variance(0.5, 0) < result.noise_model.variance(0.5, 0)


def test_the_noise_of_the_result_is_as_stated(rng):
    noise = Noise(np.array([4e-4]), np.array([4e-6]))
    settings = burstsr.SimulateSettings(cfa="mono", frames=6, noise=noise, linear=True)
    flat = burstsr.simulate_burst(np.full((256, 320, 3), 0.35, np.float32), settings, rng).burst
    result = super_resolve(flat, Settings(reference=0))
    assert result.image[32:-32, 32:-32].var() == pytest.approx(result.noise_model.variance(0.35, 0), rel=0.2)


def test_to_loops_over_cells_it_is_rggb(shot):
    frame = shot[0].frames[0]
    assert red_site(frame) == 0 and cell_channels(frame).tolist() == [[0, 1], [1, 2]] and not sample_channels(frame).any()


def test_a_dng_holds_one_plane_that_libraw_reads(result, tmp_path):
    path = tmp_path / "grey.dng"
    burstsr.write_dng(path, result)
    with rawpy.imread(str(path)) as raw:
        stored = raw.raw_image.copy()
    assert stored.shape == (144, 192)
    np.testing.assert_allclose(stored / 65535, np.clip(result.image[..., 0], 0, 1), atol=1e-5)
    tags = read_tags(path)
    assert tags.numbers(t.SAMPLES) == (1,) and tags.numbers(t.WHITE) == (65535,) and t.NEUTRAL not in tags.first
    np.testing.assert_allclose(tags.numbers(t.NOISE_PROFILE), [result.noise_model.alpha[0], result.noise_model.beta[0]])
