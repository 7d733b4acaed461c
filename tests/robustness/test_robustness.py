"""Trust: laws and the two engines."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import TRUST_ABSOLUTE

from burstsr.core.censored_normal import clipped_moments
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.sensor import red_site, site_rows
from burstsr.robustness import RobustnessModel, loops, naive, statistics_loops
from burstsr.robustness.noise_curves import noise_curves
from burstsr.settings import RobustnessSettings

ENGINES = {"naive": naive, "loops": loops}
NOISE = Noise.of_iso(400)


def noisy(image, rng, noise=NOISE):
    return image + np.sqrt(noise.variance(image, 1)) * rng.standard_normal(image.shape)


def robustness(reference, frame, flow=None, settings=None):
    shape = reference.shape
    guide = RobustnessModel(frame_of(reference, noise=NOISE), NOISE, settings or RobustnessSettings())
    return guide.robustness_map(frame_of(frame, noise=NOISE), flow or Flow.zero(shape[:2], 16))


def test_the_same_scene_has_high_robustness_in_noise(texture, rng):
    y, x = np.mgrid[:128, :128]
    scene = texture(y, x)
    assert robustness(noisy(scene, rng), noisy(scene, rng)).mean() > 0.98


def test_flat_noise_has_high_robustness(rng):
    scene = np.full((128, 128), 0.2)
    assert robustness(noisy(scene, rng), noisy(scene, rng)).mean() > 0.99


def test_a_wrong_frame_gets_zero_robustness(texture, rng):
    y, x = np.mgrid[:96, :96]
    flat = np.full((96, 96), 0.2)
    assert robustness(noisy(flat, rng), noisy(flat + 0.3, rng)).max() == 0
    assert robustness(noisy(flat, rng), noisy(texture(y, x), rng)).mean() < 0.1


def test_only_the_mover_is_rejected(rng):
    scene = np.full((128, 128), 0.3)
    moved = scene.copy()
    moved[40:72, 40:72] = 0.8
    out = robustness(noisy(scene, rng), noisy(moved, rng))
    assert out[20:36, 20:36].max() == 0
    outside = np.ones((64, 64), bool)
    outside[13:43, 13:43] = False
    assert out[outside].mean() > 0.99


def test_what_the_frame_does_not_show_has_no_weight(rng):
    scene = np.full((64, 64), 0.3)
    flow = Flow(np.full((4, 4, 2), (0.0, 20.0), np.float32), 16)
    out = robustness(noisy(scene, rng), noisy(scene, rng), flow)
    assert (out[:, -9:] == 0).all()
    assert out[:, :18].mean() > 0.99


def test_varying_flow_is_judged_more_strictly(texture, rng):
    y, x = np.mgrid[:96, :96]
    scene = texture(y, x)
    tiles = np.zeros((6, 6, 2), np.float32)
    tiles[::2] = 3.0
    strict, lenient = (robustness(noisy(scene, rng), noisy(scene, rng), Flow(tiles, 16), RobustnessSettings(flow_variation_px=m)) for m in (0.8, 100))
    assert strict.mean() < lenient.mean()


@pytest.mark.parametrize(("jump", "accepted"), [(6.0, True), (10.0, False), (-12.0, False)])
def test_flow_that_jumps_by_more_than_half_a_tile_gets_zero_robustness(jump, accepted, rng):
    """Between two motions the interpolated one is neither; a flat scene hides that from the samples."""
    scene = np.full((128, 128), 0.3)
    tiles = np.zeros((8, 8, 2), np.float32)
    tiles[:, 4:, 1] = jump
    out = robustness(noisy(scene, rng), noisy(scene, rng), Flow(tiles, 16))
    beside = out[:, 26:38]  # of the tiles on both sides of the jump
    assert beside.mean() > 0.6 if accepted else beside.max() == 0
    assert out[:, 4:18].mean() > 0.98


def test_disabled_accepts_everything(texture, rng):
    out = robustness(np.full((64, 64), 0.2), np.full((64, 64), 0.9), settings=RobustnessSettings(enabled=False))
    assert (out == 1).all()


SHAPES = [(32, 48), (17, 33), (1, 1), (8, 9)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("plant_nan", [False, True])
@pytest.mark.parametrize("spread", [0.02, 2.0])
def test_engines_agree(shape, plant_nan, spread, rng):
    mean = rng.uniform(-0.05, 1.1, (3, *shape)).astype(np.float32)
    other = (mean + rng.normal(0, 0.02, mean.shape)).astype(np.float32)
    sigma2 = rng.uniform(1e-4, 3e-3, shape).astype(np.float32)
    if plant_nan:
        other[:, 0, 0] = np.nan
    tile = 16
    grid = (-(-2 * shape[0] // tile), -(-2 * shape[1] // tile))
    flow = rng.normal(0, spread, (*grid, 2)).astype(np.float32)
    results = []
    for module in ENGINES.values():
        out = np.zeros(shape, np.float32)
        module.mismatch_rows(0, shape[0], mean, sigma2, other, flow, tile, noise_curves(NOISE, -0.05)[1], out)
        results.append(out)
    good = ~np.isnan(results[0])
    np.testing.assert_array_equal(results[0] == loops.UNSEEN, results[1] == loops.UNSEEN)
    np.testing.assert_allclose(results[0][good], results[1][good], atol=TRUST_ABSOLUTE, rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_means_and_variances_agree(shape, cfa, rng):
    frame = frame_of(rng.uniform(-0.01, 1, (2 * shape[0], 2 * shape[1])), cfa=cfa)
    arguments = (frame.mosaic, *site_rows(frame.info.levels, 2), red_site(frame))
    curve = noise_curves(NOISE, -0.05)[0]
    results = []
    for module in (naive, statistics_loops):
        mean, same, sigma2 = np.zeros((3, *shape), np.float32), np.zeros((3, *shape), np.float32), np.zeros(shape, np.float32)
        half = shape[0] // 2  # in two pieces
        for rows in ((0, half), (half, shape[0])):
            module.mean_rows(*rows, *arguments, mean)
            module.guide_rows(*rows, *arguments, curve, same, sigma2)
        results.append((mean, same, sigma2))
    (mean, same, sigma2), other = results
    np.testing.assert_allclose(mean, same, atol=1e-6)
    np.testing.assert_allclose(mean, other[0], atol=1e-6)
    np.testing.assert_allclose(same, other[1], atol=1e-6)
    np.testing.assert_allclose(sigma2, other[2], rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threshold", [0.0, 0.12])
def test_robustness_maps_agree(shape, threshold, rng):
    mismatch = (rng.uniform(0, 0.1, shape) * rng.choice([0.2, 20, 100], (shape[0], 1))).astype(np.float32)
    mismatch[rng.uniform(size=shape) < 0.1] = loops.UNSEEN
    factor = rng.choice([2.0, 12.0], (-(-2 * shape[0] // 16), -(-2 * shape[1] // 16))).astype(np.float32)
    results = []
    for module in ENGINES.values():
        out = np.zeros(shape, np.float32)
        for rows in ((0, shape[0] // 3), (shape[0] // 3, shape[0])):
            module.robustness_rows(*rows, mismatch, 9, factor, 16, np.float32(0.12), np.float32(threshold), out)
        results.append(out)
    np.testing.assert_allclose(results[0], results[1], atol=TRUST_ABSOLUTE / 10)
    assert (results[1][mismatch == loops.UNSEEN] == 0).all()


@pytest.mark.parametrize("level", [0.0, 0.002, 0.3, 0.97, 1.0])
def test_clipped_variance_is_exact(level, rng):
    variance = 4e-4
    draws = np.clip(rng.normal(level, np.sqrt(variance), 400_000), 0, 1)
    assert clipped_moments(np.array([level]), np.array([variance]), 0.0, 1.0)[1][0] == pytest.approx(draws.var(), rel=0.02)
