"""Blur of a bracket's frames: against the truth, and what it changes."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of

from burstsr import Settings, super_resolve
from burstsr.bracket import PairModels, bracket_blur, bracket_of
from burstsr.core.burst import Burst
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.report import Record
from burstsr.simulate.exposure_paths import second_moments
from calibration.softness import measure_softness

SHAPE = (256, 288)
EVS = (0, -2, 2, 0)
NOISE = Noise.of_iso(100)
PATH = np.outer(np.linspace(-1.0, 1.0, 25), (0.8, 0.6))


FREQUENCIES = np.fft.fftfreq(SHAPE[0])[:, None], np.fft.rfftfreq(SHAPE[1])[None]


def scene():
    """A periodic texture of amplitude 1/f around 0.12, with a highlight."""
    spectrum = np.fft.rfft2(np.random.default_rng(7).standard_normal(SHAPE)) / np.maximum(np.hypot(*FREQUENCIES), 0.01)
    sharp = np.fft.irfft2(spectrum, SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.clip(0.12 + 0.03 * sharp / sharp.std(), 0.01, None) + 2.0 * (np.hypot(y - 60, x - 70) < 25)


def bracket(paths, rng):
    """A bracket of the scene, every frame seen along its path, exact."""
    (fy, fx), image, frames = FREQUENCIES, scene(), []
    for ev, path in zip(EVS, paths, strict=True):
        response = np.mean([np.exp(-2j * np.pi * (fy * dy + fx * dx)) for dy, dx in path], axis=0)
        level = np.maximum(np.fft.irfft2(np.fft.rfft2(image) * response, SHAPE), 0) * 2.0**ev
        frame = frame_of(np.minimum(level + np.sqrt(NOISE.variance(level, 1)) * rng.standard_normal(SHAPE), 1), noise=NOISE)
        frames.append(frame.with_info(replace(frame.info, iso=100.0, exposure_s=0.01 * 2.0**ev)))
    return Burst("b", tuple(frames))


STILL = np.zeros((1, 2))


def test_the_blur_of_longer_exposures_is_measured(rng):
    """Issue 17: frames of brackets were not compared."""
    common = bracket_of(bracket((STILL, STILL, PATH, STILL), rng), 0, Record(bracket((STILL,) * 4, rng), Settings()))
    models = PairModels(common.burst.frames, 0, Settings(), common.noise.model)
    blur = bracket_blur(models, [Flow.zero(SHAPE, 16)] * 4)
    true = second_moments(PATH)
    assert blur.blur_px[2] == pytest.approx(np.sqrt(true[0] + true[2]), rel=0.15)
    np.testing.assert_allclose(blur.moments[2], true, atol=0.25 * (true[0] + true[2]))
    assert blur.blurs[2] is not None and blur.blurs[1] is None and blur.blurs[3] is None
    assert blur.weights[2] < 0.7 < blur.weights[1] == blur.weights[3] == 1


def test_exposures_that_are_equally_sharp_count_one(rng):
    made = bracket((STILL,) * 4, rng)
    common = bracket_of(made, 0, Record(made, Settings()))
    blur = bracket_blur(PairModels(common.burst.frames, 0, Settings(), common.noise.model), [Flow.zero(SHAPE, 16)] * 4, precision=np.array([1, 0.2, 6, 1.0]))
    assert blur.blurs == (None,) * 4
    np.testing.assert_allclose(blur.weights, 1)


def test_softness_of_a_bracket_is_that_in_common_units(rng):
    """`inspect --align` took darker frames for blurred ones."""
    blur = measure_softness(bracket((STILL, STILL, PATH, STILL), rng), range(4))
    assert blur.blur_px[2] == pytest.approx(np.sqrt(sum(second_moments(PATH)[::2])), rel=0.2)
    assert np.delete(blur.blur_px, 2).max() < 0.3


def test_a_blurred_exposure_does_no_harm():
    """Of mode best, against the truth: not worse than without it, better than as if it were sharp."""
    made = bracket((STILL, STILL, 1.5 * PATH, STILL), np.random.default_rng(1))
    settings = Settings(mode="best", reference=0, scale=1.0, measure_noise=False)
    bursts = {"all": (made, True), "ignored": (made, False), "without": (Burst("b", (*made.frames[:2], made.frames[3])), True)}
    truth = scene()
    part = slice(16, -16), slice(120, -16)
    errors = {}
    for name, (burst, weigh) in bursts.items():
        found = super_resolve(burst, replace(settings, weigh_blur=weigh), flows=[Flow.zero(SHAPE, 16)] * len(burst))
        errors[name] = float(np.square(found.image.mean(axis=-1) - truth)[part].mean())
        if name == "all":
            frame = found.report.frames[2]
            assert frame.blur_px > 0.5 and frame.used
    assert errors["all"] < 1.05 * errors["without"] and errors["all"] < 0.8 * errors["ignored"]
