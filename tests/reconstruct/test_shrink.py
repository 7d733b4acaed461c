"""Shrinkage of cosine coefficients: laws, and the loops against scipy's transform of every block."""

import numpy as np
import pytest
from tolerances import SHRINK_ABSOLUTE

from burstsr.reconstruct import dct_shrinkage_loops, naive
from burstsr.reconstruct.prior import TO_LUMA, TO_RGB, Prior
from burstsr.settings import ReconstructSettings

LATTICES = [((0, 0), 4), ((1, 3), 4), ((2, 2), 4), ((3, 1), 4), ((0, 0), 2), ((0, 1), 2), ((0, 0), 1), ((0, 0), 8)]
SHAPES = [(21, 26), (8, 8), (9, 30), (24, 16)]


def prox(plane, variance, strength, pilot=None, offset=(0, 0), step=4):
    total = np.empty_like(plane)
    scratch = dct_shrinkage_loops.scratch_for(plane.shape)
    dct_shrinkage_loops.shrink(plane, variance, plane if pilot is None else pilot, pilot is not None, np.float32(strength), *offset, step, scratch, total)
    return total


def noisy(rng, shape, deviation=0.05):
    y, x = np.mgrid[: shape[0], : shape[1]]
    plane = 0.5 + 0.3 * np.sin(0.4 * y + 0.3 * x) * (x > shape[1] // 3) + deviation * rng.standard_normal(shape)
    return plane.astype(np.float32), (deviation**2 * rng.uniform(0.5, 2, shape)).astype(np.float32)


@pytest.mark.parametrize("kind", ["hard", "wiener"])
@pytest.mark.parametrize(("offset", "step"), LATTICES)
def test_engines_agree(offset, step, kind, rng):
    agree((17, 22), offset, step, kind, rng)


@pytest.mark.parametrize("kind", ["hard", "wiener"])
@pytest.mark.parametrize("shape", SHAPES)
def test_engines_agree_on_ragged_planes(shape, kind, rng):
    for offset, step in (((0, 0), 4), ((1, 3), 4), ((0, 0), 8)):
        agree(shape, offset, step, kind, rng)


def agree(shape, offset, step, kind, rng):
    plane, variance = noisy(rng, shape)
    pilot = noisy(rng, shape, 0.01)[0] if kind == "wiener" else None
    strength = 1.8 if pilot is None else 1.0
    expected = naive.shrink(plane, variance, pilot, strength, offset, step)
    np.testing.assert_allclose(prox(plane, variance, strength, pilot, offset, step), expected, atol=SHRINK_ABSOLUTE)
    assert np.abs(expected - plane).max() > 0.01


@pytest.mark.parametrize("with_pilot", [False, True])
@pytest.mark.parametrize(("offset", "step"), LATTICES)
def test_no_strength_is_the_identity(offset, step, with_pilot, rng):
    plane, variance = noisy(rng, (17, 22))
    np.testing.assert_allclose(prox(plane, variance, 0, plane if with_pilot else None, offset, step), plane, atol=SHRINK_ABSOLUTE)


@pytest.mark.parametrize(("strength", "with_pilot"), [(0.0, False), (1.8, False), (1000.0, False), (1.0, True), (1000.0, True)])
def test_constant_in_constant_out(strength, with_pilot, rng):
    plane, variance = np.full((17, 22), 0.37, np.float32), rng.uniform(1e-4, 1e-2, (17, 22)).astype(np.float32)
    np.testing.assert_allclose(prox(plane, variance, strength, plane if with_pilot else None), 0.37, atol=SHRINK_ABSOLUTE)


def test_a_huge_threshold_leaves_the_blocks_means(rng):
    plane, variance = noisy(rng, (16, 24))
    means = plane.reshape(2, 8, 3, 8).mean((1, 3))
    result = prox(plane, np.full_like(variance, 1e-4), 1e6, step=8)
    np.testing.assert_allclose(result, np.kron(means, np.ones((8, 8))), atol=SHRINK_ABSOLUTE)


def test_the_mean_of_a_single_block_stays(rng):
    plane, variance = noisy(rng, (8, 8))
    for strength in (0, 1.8, 1e6):
        assert prox(plane, variance, strength).mean() == pytest.approx(plane.mean(), abs=1e-6)


def test_rows_and_columns_are_shrunk_alike(rng):
    plane, variance = noisy(rng, (16, 24))[0], np.full((16, 24), 0.05**2, np.float32)
    turned = prox(np.ascontiguousarray(plane.T), np.ascontiguousarray(variance.T), 1.8)
    np.testing.assert_allclose(turned.T, prox(plane, variance, 1.8), atol=SHRINK_ABSOLUTE)


def test_noise_falls_and_an_edge_stays(rng):
    deviation = 0.02
    clean = np.where(np.arange(32) < 13, 0.2, 0.8) * np.ones((24, 1))
    plane = (clean + deviation * rng.standard_normal(clean.shape)).astype(np.float32)
    variance = np.full(clean.shape, deviation**2, np.float32)
    result = prox(plane, variance, 1.0, prox(plane, variance, 2.5))
    assert np.mean((result - clean) ** 2) < 0.35 * deviation**2


def test_luma_and_back_is_the_identity(rng):
    np.testing.assert_allclose(TO_RGB @ TO_LUMA, np.eye(3), atol=1e-6)


NEUTRAL = np.array([0.5, 1.0, 0.7])


def prior(start, **changes):
    return Prior(start, NEUTRAL, ReconstructSettings(**changes))


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("turn", [0, 1, 7, 8])
def test_prior_leaves_a_neutral_constant(turn, dense):
    x = np.ascontiguousarray(np.broadcast_to(0.3 * NEUTRAL[:, None, None], (3, 16, 20)), np.float32)
    np.testing.assert_allclose(prior(x).prox(x, np.full_like(x, 1e-4), turn, dense), x, atol=1e-5)


def test_prior_without_noise_is_the_identity(rng):
    x = rng.uniform(0.05, 0.9, (3, 16, 20)).astype(np.float32)
    np.testing.assert_allclose(prior(x).prox(x, np.full_like(x, 1e-14), 0, True), x, atol=1e-4)


def test_prior_denoises_every_colour(rng):
    level = np.float32(0.3) * NEUTRAL[:, None, None].astype(np.float32)
    x = (level + 0.01 * rng.standard_normal((3, 24, 24))).astype(np.float32)
    result = prior(np.broadcast_to(level, x.shape).astype(np.float32)).prox(x, np.full_like(x, 1e-4), 0, True)
    assert (result.std((1, 2)) < 0.7 * x.std((1, 2))).all()
    np.testing.assert_allclose(result.mean((1, 2)), x.mean((1, 2)), atol=1e-3)


def test_prior_shifts_its_lattice(rng):
    x = rng.uniform(0.05, 0.9, (3, 16, 20)).astype(np.float32)
    p, v = prior(x), np.full_like(x, 1e-3)
    assert np.abs(p.prox(x, v, 0, False) - p.prox(x, v, 1, False)).max() > 1e-3
    np.testing.assert_array_equal(p.prox(x, v, 0, False), p.prox(x, v, 8, False))


def of_one_plane(start, **changes):
    return Prior(start, np.ones(1), ReconstructSettings(**changes))


@pytest.mark.parametrize("dense", [False, True])
def test_prior_of_one_plane_keeps_a_constant_and_what_has_no_noise(dense, rng):
    level, x = np.full((1, 16, 20), 0.3, np.float32), rng.uniform(0.05, 0.9, (1, 16, 20)).astype(np.float32)
    np.testing.assert_allclose(of_one_plane(level).prox(level, np.full_like(level, 1e-4), 1, dense), level, atol=1e-5)
    np.testing.assert_allclose(of_one_plane(x).prox(x, np.full_like(x, 1e-14), 0, dense), x, atol=1e-4)


def test_prior_of_one_plane_denoises_what_luma_of_three_equal_ones_would_be(rng):
    """Luma of three planes with independent noise has (1 + 4 + 1) / 16 of its variance; its filter only differs in step and strength."""
    x = (0.3 + 0.1 * (np.arange(24) > 11) + 0.01 * rng.standard_normal((1, 24, 24))).astype(np.float32)
    start, variance = np.full_like(x, 0.35), np.full_like(x, 1e-4)
    one = of_one_plane(start, wiener_noise_factor=1.0).prox(x, variance, 0, False)
    three = Prior(np.repeat(start, 3, 0), np.ones(3), ReconstructSettings(wiener_noise_factor=1.0)).prox(
        np.repeat(x, 3, 0), np.repeat(variance, 3, 0) / np.float32(0.375), 0, False
    )
    np.testing.assert_allclose(one[0], three[1], atol=1e-5)
    assert (one - x).std() > 0.005


def test_dark_and_negative_values_stay_finite(rng):
    x = rng.normal(0, 0.01, (3, 16, 20)).astype(np.float32)
    assert np.isfinite(prior(x).prox(x, np.full_like(x, 1e-4), 0, True)).all()
