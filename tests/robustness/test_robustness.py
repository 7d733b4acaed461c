"""Trust: laws and the two engines."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import TRUST_ABSOLUTE

from burstsr.ground.flow import Flow
from burstsr.ground.noise import Noise
from burstsr.robustness import Guide, loops, paper
from burstsr.robustness.noise_curves import clipped_variance, noise_curves
from burstsr.settings import RobustnessSettings

ENGINES = {"paper": paper, "loops": loops}
NOISE = Noise.of_iso(400)


def noisy(picture, rng, noise=NOISE):
    return picture + np.sqrt(noise.variance(picture, 1)) * rng.standard_normal(picture.shape)


def trust(reference, frame, flow=None, settings=None):
    shape = reference.shape
    guide = Guide(frame_of(reference, noise=NOISE), NOISE, settings or RobustnessSettings())
    return guide.trust_of(frame_of(frame, noise=NOISE), flow or Flow.zero(shape[:2], 16))


def test_the_same_scene_is_trusted_through_noise(texture, rng):
    y, x = np.mgrid[:128, :128]
    scene = texture(y, x)
    assert trust(noisy(scene, rng), noisy(scene, rng)).mean() > 0.98


def test_flat_noise_is_trusted(rng):
    scene = np.full((128, 128), 0.2)
    assert trust(noisy(scene, rng), noisy(scene, rng)).mean() > 0.99


def test_a_wrong_frame_earns_no_trust(texture, rng):
    y, x = np.mgrid[:96, :96]
    flat = np.full((96, 96), 0.2)
    assert trust(noisy(flat, rng), noisy(flat + 0.3, rng)).max() == 0
    assert trust(noisy(flat, rng), noisy(texture(y, x), rng)).mean() < 0.1


def test_only_the_mover_is_distrusted(rng):
    scene = np.full((128, 128), 0.3)
    moved = scene.copy()
    moved[40:72, 40:72] = 0.8
    out = trust(noisy(scene, rng), noisy(moved, rng))
    assert out[20:36, 20:36].max() == 0
    outside = np.ones((64, 64), bool)
    outside[13:43, 13:43] = False
    assert out[outside].mean() > 0.99


def test_what_the_frame_does_not_show_has_no_weight(rng):
    scene = np.full((64, 64), 0.3)
    flow = Flow(np.full((4, 4, 2), (0.0, 20.0), np.float32), 16)
    out = trust(noisy(scene, rng), noisy(scene, rng), flow)
    assert (out[:, -9:] == 0).all()
    assert out[:, :18].mean() > 0.99


def test_varying_flow_is_judged_more_strictly(texture, rng):
    y, x = np.mgrid[:96, :96]
    scene = texture(y, x)
    tiles = np.zeros((6, 6, 2), np.float32)
    tiles[::2] = 3.0
    strict, lenient = (trust(noisy(scene, rng), noisy(scene, rng), Flow(tiles, 16), RobustnessSettings(flow_variation_px=m)) for m in (0.8, 100))
    assert strict.mean() < lenient.mean()


def test_disabled_trusts_everything(texture, rng):
    out = trust(np.full((64, 64), 0.2), np.full((64, 64), 0.9), settings=RobustnessSettings(enabled=False))
    assert (out == 1).all()


@pytest.mark.parametrize("shape", [(32, 48), (17, 33), (1, 1), (8, 9)])
@pytest.mark.parametrize("plant_nan", [False, True])
def test_engines_agree(shape, plant_nan, rng):
    mean = rng.uniform(-0.05, 1.1, (*shape, 3)).astype(np.float32)
    other = (mean + rng.normal(0, 0.02, mean.shape)).astype(np.float32)
    variance = rng.uniform(0, 1e-3, mean.shape).astype(np.float32)
    if plant_nan:
        other[0, 0] = np.nan
    tile = 16
    grid = (-(-2 * shape[0] // tile), -(-2 * shape[1] // tile))
    flow = rng.normal(0, 2, (*grid, 2)).astype(np.float32)
    curves = noise_curves(NOISE, -0.05)
    results = []
    for module in ENGINES.values():
        out = np.zeros(shape, np.float32)
        module.mismatch_rows(0, shape[0], mean, variance, other, flow, tile, *curves, out)
        results.append(out)
    good = ~np.isnan(results[0])
    np.testing.assert_allclose(results[0][good], results[1][good], atol=TRUST_ABSOLUTE, rtol=1e-3)


@pytest.mark.parametrize("level", [0.0, 0.002, 0.3, 0.97, 1.0])
def test_clipped_variance_is_exact(level, rng):
    variance = 4e-4
    draws = np.clip(rng.normal(level, np.sqrt(variance), 400_000), 0, 1)
    assert clipped_variance(np.array([level]), np.array([variance]), 0.0, 1.0)[0] == pytest.approx(draws.var(), rel=0.02)
