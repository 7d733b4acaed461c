"""Noise where the gain varies over the frame: variance = g alpha x + g^2 beta. Issue 15, fault 5: the mean gain made corners wrong by (g / mean g)^2."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of

from burstsr import Settings, super_resolve
from burstsr.core.burst import Burst
from burstsr.core.flow import Flow
from burstsr.core.gain import GainField
from burstsr.core.noise import Noise
from burstsr.noise import estimate
from burstsr.robustness import RobustnessModel, loops, naive, statistics_loops
from burstsr.robustness.noise_curves import noise_curves
from burstsr.settings import RobustnessSettings

NOISE = Noise(np.full(3, 4e-4), np.full(3, 4e-6))
SHAPE = (128, 128)


def rising(shape=SHAPE, low=0.5, high=2.5):
    """Gain that rises from column to column."""
    points = np.linspace(low, high, 33)[None].repeat(33, 0).astype(np.float32)
    return GainField(np.stack([points] * 3), shape)


def gained(level, rng, field, shape=SHAPE, noise=NOISE):
    """A frame of one light, whose samples have noise and then gain."""
    gain = field.at(np.arange(shape[0]), np.arange(shape[1]))[1]
    light = level / gain
    noisy = light + np.sqrt(noise.variance(light, 1)) * rng.standard_normal(shape)
    frame = frame_of(gain * noisy, noise=noise, black=8192.0)
    return frame.with_info(replace(frame.info, gain=field))


def test_variance_with_gain_is_that_of_samples(rng):
    """Monte Carlo over three gains."""
    for gain in (0.5, 1.0, 3.0):
        light = 0.2 / gain
        values = gain * (light + np.sqrt(NOISE.variance(light, 1)) * rng.standard_normal(200_000))
        assert values.var() == pytest.approx(float(NOISE.variance(0.2, 1, gain)), rel=0.02)


def test_noise_estimates_are_of_samples_before_gain(rng):
    found = estimate(gained(0.3, rng, rising()))
    light = 0.3 / rising().points[1].mean()
    assert float(found.variance(light, 1)) == pytest.approx(float(NOISE.variance(light, 1)), rel=0.3)
    noise = Noise(np.full(3, 1e-9), np.full(3, 1e-4))  # read noise alone: the mean over the frame would be of gain squared
    assert float(estimate(gained(0.3, rng, rising(), noise=noise)).variance(light, 1)) == pytest.approx(1e-4, rel=0.2)


def mean_robustness(field, rng):
    """Mean robustness of the strong and the weak columns of a second frame, which differs by noise alone."""
    frames = [gained(0.2, rng, rising(low=0.3, high=3.0)) for _ in range(2)]
    frames = [frame.with_info(replace(frame.info, gain=field)) for frame in frames]
    guide = RobustnessModel(frames[0], NOISE, RobustnessSettings())
    robustness = guide.robustness_map(frames[1], Flow.zero(SHAPE, 16))
    contradicting = guide.contradicting / np.maximum(guide.covering, 1)
    return robustness[:, -12:].mean(), contradicting[:, -12:].mean(), contradicting[:, :12].mean()


def test_robustness_takes_noise_at_each_corners_gain(rng):
    """The share of CFA cells that noise alone lets contradict is the same where gain is strong and where it is weak."""
    accepted, strong, weak = mean_robustness(rising(low=0.3, high=3.0), rng)
    assert strong == pytest.approx(weak, abs=0.02) and accepted > 0.9
    _, uncorrected, _ = mean_robustness(None, rng)
    assert uncorrected > strong + 0.02


def test_robustness_loops_agree_with_naive_where_gain_varies(rng):
    shape = (20, 24)
    mosaic = rng.integers(0, 65536, (40, 48)).astype(np.uint16)
    field = rng.uniform(0.4, 3, (3, *shape)).astype(np.float32)
    variance, difference = noise_curves(NOISE, -0.05)
    levels = (mosaic, np.full((2, 2), 1024, np.float32), np.full((2, 2), 1 / 60000, np.float32), 0)
    flow = rng.normal(0, 1, (3, 3, 2)).astype(np.float32)
    results = []
    for module, statistics in ((loops, statistics_loops), (naive, naive)):
        mean, sigma2 = np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
        statistics.guide_rows(0, 20, *levels, variance, mean, sigma2, field)
        mismatch, limit = np.zeros_like(sigma2), np.zeros_like(sigma2)
        other = mean[:, ::-1].copy()
        module.mismatch_rows(0, 20, mean, sigma2, other, flow, 16, difference * 30, mismatch, field)
        module.limit_rows(0, 20, mean, sigma2, difference, np.float32(5), np.float32(0.05), limit, field)
        results.append((sigma2, mismatch, limit))
    for fast, plain in zip(*results, strict=True):
        close = np.isclose(fast, plain, rtol=2e-3, atol=1e-6)
        assert close.mean() > 0.97  # of levels between two steps of a curve engines may take either


def test_results_pixels_have_their_own_noise():
    field = rising()
    alpha, beta = replace(NOISE, gain=field).of_output(range(0, 4), range(0, 256), 2.0)
    assert alpha.shape == beta.shape == (4, 256, 3)
    np.testing.assert_allclose(alpha[0, :, 1], 4e-4 * field.at(np.zeros(1), (np.arange(256) + 0.5) / 2 - 0.5)[1, 0], rtol=1e-5)
    np.testing.assert_allclose(beta / 4e-6, (alpha / 4e-4) ** 2, rtol=1e-5)
    assert NOISE.of_output(range(0, 4), range(0, 256), 2.0)[0].shape == (3,)


def test_a_crop_has_its_part_of_the_field():
    field, part = rising(), rising().cropped(32, 64)
    np.testing.assert_array_equal(part.at(np.arange(8), np.arange(8)), field.at(np.arange(32, 40), np.arange(64, 72)))


@pytest.mark.parametrize("mode", ["fast", "best"])
def test_bursts_with_gain_fields_go_through_every_stage(rng, mode):
    shape = (64, 64)
    burst = Burst("b", tuple(gained(0.2, rng, rising(shape), shape) for _ in range(3)))
    result = super_resolve(burst, Settings(mode=mode, reference=0)).image
    assert np.isfinite(result).all() and result.mean() == pytest.approx(0.2, rel=0.02)
