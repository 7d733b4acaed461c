"""Blur of frames against the reference: truth, laws, and what the report says of it."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of, frame_of

from burstsr import Settings, super_resolve
from burstsr.align import frame_blur
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.simulate.exposure_paths import second_moments

SHAPE = (160, 192)
FAINT, USUAL = Noise.of_iso(50), Noise.of_iso(400)
STILL = np.zeros((1, 2))
PATHS = {
    "line": np.outer(np.linspace(-1.2, 1.2, 25), (0.6, 0.8)),
    "rows": np.outer(np.linspace(-1.5, 1.5, 25), (1, 0)),
    "hook": np.stack([np.linspace(-1, 1, 25), 1.2 * np.linspace(-1, 1, 25) ** 2], -1),
    "long": np.outer(np.linspace(-3, 3, 49), (0.8, -0.6)),
}


def scene(path, rng, noise, seed=7):
    """(H, W) a texture of amplitude 1/f, 0.1 to 0.5, seen while the camera moves along a path of mean 0; exact, the texture is periodic."""
    fy, fx = np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1])[None]
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal(SHAPE)) / np.maximum(np.hypot(fy, fx), 0.01)
    sharp = np.fft.irfft2(spectrum, SHAPE)
    away = path - path.mean(axis=0)
    response = np.mean([np.exp(-2j * np.pi * (fy * dy + fx * dx)) for dy, dx in away], axis=0)
    image = np.clip(0.3 + 0.05 * np.fft.irfft2(spectrum * response, SHAPE) / sharp.std(), 0.02, 0.9)
    return image + np.sqrt(noise.variance(image, 1)) * rng.standard_normal(SHAPE)


def blur_of(paths, rng, noise=USUAL, order=None, **named):
    """Blur of frames with these paths against the first; order: in which they are given."""
    frames = [frame_of(scene(path, rng, noise), noise=noise) for path in paths]
    order = list(range(len(frames))) if order is None else order
    return frame_blur([frames[i] for i in order], [Flow.zero(SHAPE, 16)] * len(frames), order.index(0), noise, **named)


@pytest.mark.parametrize("kind", ["line", "rows", "hook"])
def test_second_moments_of_a_path_are_measured(kind, rng):
    true = np.array(second_moments(PATHS[kind]))
    blur = blur_of([STILL, STILL, PATHS[kind]], rng)
    size = true[0] + true[2]
    np.testing.assert_allclose(blur.moments[2], true, atol=0.2 * size)
    assert blur.blur_px[2] == pytest.approx(np.sqrt(size), rel=0.1)
    assert np.abs(blur.moments[:2]).max() < 0.05


def test_a_frame_sharper_than_the_reference_has_negative_moments_and_counts_most(rng):
    blur = blur_of([PATHS["line"], STILL, PATHS["line"]], rng)
    assert blur.moments[1, 0] + blur.moments[1, 2] < -0.2
    assert blur.blur_px[1] == 0


@pytest.mark.parametrize("noise", [FAINT, USUAL, Noise.of_iso(1600)])
def test_frames_that_are_equally_sharp_count_one(noise, rng):
    np.testing.assert_allclose(blur_of([STILL] * 5, rng, noise).weights, 1, atol=0.02)


def test_frames_that_are_equally_sharp_count_one_in_darkness(rng):
    assert blur_of([STILL] * 5, rng, Noise.of_iso(6400)).weights.min() > 0.9


def test_frames_that_are_equally_soft_count_one(rng):
    np.testing.assert_allclose(blur_of([PATHS["line"]] * 5, rng, FAINT).weights, 1, atol=0.02)


def test_blur_counts_less_the_more_there_is_of_it(rng):
    long = PATHS["long"]
    weights = blur_of([STILL, STILL, STILL, 0.25 * long, 0.4 * long, long], rng, FAINT).weights
    np.testing.assert_allclose(weights[:3], 1, atol=0.01)
    assert 1 > weights[3] > weights[4] > weights[5] == 0


def test_a_frame_that_is_soft_alone_hardly_counts(rng):
    assert blur_of([STILL, STILL, STILL, STILL, PATHS["long"]], rng, FAINT, detail=10).weights[4] < 0.1


def test_the_noisier_a_burst_the_more_a_soft_frame_weighs(rng):
    few = [blur_of([STILL, STILL, STILL, 0.8 * PATHS["line"]], rng, noise).weights[3] for noise in (FAINT, Noise.of_iso(6400))]
    assert few[0] < few[1]


def test_the_order_of_frames_does_not_matter(rng):
    paths = [STILL, PATHS["line"], STILL, PATHS["long"], PATHS["hook"]]
    order = [3, 2, 0, 4, 1]
    a, b = blur_of(paths, np.random.default_rng(1)), blur_of(paths, np.random.default_rng(1), order=order)
    np.testing.assert_allclose(b.moments, a.moments[order], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(b.weights, a.weights[order], rtol=1e-6, atol=1e-9)


def test_scenes_without_structure_and_frames_too_small_tell_nothing(rng):
    flat = [frame_of(0.3 + 0.003 * rng.standard_normal(SHAPE), noise=USUAL) for _ in range(4)]
    small = [frame_of(rng.uniform(0, 1, (48, 80))) for _ in range(4)]
    for frames in (flat, small, flat[:1]):
        blur = frame_blur(frames, [Flow.zero(frames[0].info.shape, 16)] * len(frames), 0, USUAL)
        assert (blur.moments == 0).all() and (blur.weights == 1).all()


def report_of(rng, **settings):
    images = [scene(path, rng, FAINT) for path in (STILL, STILL, STILL, PATHS["long"], 0.4 * PATHS["long"])]
    return super_resolve(burst_of(images, noise=FAINT), replace(Settings(reference=0, measure_noise=False), **settings)).report


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_a_soft_frame_is_left_out_and_reported(mode, rng):
    frames = report_of(rng, mode=mode).frames
    true = np.sqrt(sum(second_moments(PATHS["long"])[::2]))
    assert frames[3].weight == 0 and not frames[3].used and "blurred" in frames[3].unused_because
    assert frames[3].blur_px == pytest.approx(true, rel=0.2)
    assert frames[4].blur_px == pytest.approx(0.4 * true, rel=0.2)
    assert frames[4].weight == pytest.approx(0.25, abs=0.25) if mode == "fast" else frames[4].weight == 1  # the reconstruction knows its kernel
    assert frames[4].weight > 0 and frames[4].used
    for i in range(3):
        assert frames[i].weight == pytest.approx(1, abs=0.01) and frames[i].used and frames[i].blur_px < 0.2


def test_without_weights_by_blur_all_frames_count(rng):
    for frame in report_of(rng, weigh_blur=False).frames:
        assert (frame.weight, frame.used, frame.blur_px) == (1, True, None)
