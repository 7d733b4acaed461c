"""Samples to normal equations: the model's laws, and the loops against the matrices written out."""

from dataclasses import replace

import numpy as np
import pytest
from tolerances import EQUATIONS_RELATIVE, PRODUCT_RELATIVE

from burstsr.core.cfa import Cfa
from burstsr.core.coords import raw_position
from burstsr.core.flow import Flow
from burstsr.core.lateral import LateralAberration
from burstsr.reconstruct import equations, loops, naive, normal_matrix_loops
from burstsr.reconstruct.lens_taps import gaussian
from reconstruct.conftest import BLURS, SCALES, case_of

SHAPES = [(23, 26), (9, 31), (30, 12)]


def close(found, expected, relative):
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * np.abs(expected).max())


def product(normal, x):
    out = np.empty_like(x)
    normal_matrix_loops.product(normal, x, out)
    return out


def planted(case, kind):
    if kind == "still":
        return replace(case, back=Flow.zero((48, 64), 16))
    if kind == "one flow tile":
        return replace(case, back=Flow(case.back.tiles[:1, :1].copy(), 64))
    if kind == "no samples":
        return replace(case, samples=np.full_like(case.samples, np.nan))
    if kind == "zero robustness":
        return replace(case, robustness=np.zeros_like(case.robustness))
    if kind == "elsewhere":
        return replace(case, back=Flow(case.back.tiles + np.float32(500), 16))
    return case


@pytest.mark.parametrize("shape", SHAPES)
def test_engines_agree(scale, shape, rng):
    engines_agree(case_of(scale, rng, shape=shape))


@pytest.mark.parametrize("kind", ["still", "one flow tile", "no samples", "zero robustness", "elsewhere"])
def test_engines_agree_at_the_edges_of_what_happens(case, kind):
    normal = engines_agree(planted(case, kind))
    assert normal.any() == (kind in ("still", "one flow tile"))


@pytest.mark.parametrize("pattern", ["X-Trans", "quad GRBG"])
def test_engines_agree_on_other_patterns(pattern, scale, rng):
    case = case_of(scale, rng, cfa=np.array(Cfa.parse(pattern), np.int64))
    assert engines_agree(case).any()
    image = rng.uniform(0, 1, (3, *case.shape)).astype(np.float32)
    for found, expected in zip(
        misfits(case, image), naive.misfit(case.squares(), case.samples, image, case.corner, case.certainty, case.robustness.shape), strict=True
    ):
        close(found, expected, EQUATIONS_RELATIVE)


def test_engines_agree_on_lateral_aberration(scale, rng):
    lens = LateralAberration((0.02, 0.01), (-0.03, 0.0), (20.0, 11.0), 30.0).table()
    plain = case_of(scale, rng)
    case = replace(plain, lens=lens)
    assert np.abs(engines_agree(case) - plain.gathered()[0]).max() > 0
    where, straight = case.squares(), plain.squares()
    np.testing.assert_array_equal(where.p[where.colour == 1], straight.p[straight.colour == 1])


def engines_agree(case):
    N, r = naive.normal_equations(*case.matrices())
    normal, right = case.gathered()
    np.testing.assert_allclose(naive.matrix_of(normal).toarray(), N.toarray(), rtol=0, atol=EQUATIONS_RELATIVE * max(abs(N).max(), 1e-9))
    np.testing.assert_allclose(right.ravel(), r, rtol=0, atol=EQUATIONS_RELATIVE * max(np.abs(r).max(), 1e-9))
    return normal


def test_samples_without_a_filter_are_of_one_plane(scale, rng):
    case = case_of(scale, rng, cfa=np.zeros((2, 2), np.int64))
    N, r = naive.normal_equations(*case.matrices())
    of_one = replace(case, certainty=case.certainty[:1].copy())
    normal, right = of_one.gathered()
    first = case.shape[0] * case.shape[1]
    of_first = np.concatenate([normal, np.zeros_like(normal), np.zeros_like(normal)])
    np.testing.assert_allclose(naive.matrix_of(of_first).toarray(), N.toarray(), rtol=0, atol=EQUATIONS_RELATIVE * abs(N).max())
    np.testing.assert_allclose(right.ravel(), r[:first], rtol=0, atol=EQUATIONS_RELATIVE * np.abs(r).max())
    assert normal.shape[0] == right.shape[0] == 1 and normal.any() and not r[first:].any()


def test_a_second_frame_adds(scale, rng):
    first, second = case_of(scale, rng), case_of(scale, rng)
    (a, u), (b, v) = first.gathered(), second.gathered()
    both, right = equations.normal_equations(
        [first.footprints(), second.footprints()], [first.robustness, second.robustness], first.cfa, np.float32(scale), (3, *first.shape)
    )
    close(both, a + b, 1e-6)
    close(right, u + v, 1e-6)
    assert b.any() and v.any()


def test_a_sample_sees_the_mean_of_its_square(scale, rng):
    """On a slope that is the slope at the sample's place in the reference: off by the steps between pixels at most, and by nothing on average."""
    case = case_of(scale, rng)
    where = case.squares()
    y, x = (raw_position(o + np.arange(n), scale) for o, n in zip(case.origin, case.shape, strict=True))
    gradient = np.broadcast_to(0.3 + 0.02 * y[:, None] - 0.01 * x, (3, *case.shape))
    seen = naive.sample_matrix(where, case.shape) @ gradient.ravel()
    error = (seen - (0.3 + 0.02 * where.p[:, 0] - 0.01 * where.p[:, 1]))[where.seen]
    assert np.abs(error).max() < 0.5 * (0.02 + 0.01) / scale
    assert abs(error.mean()) < 1e-3


def test_shares_sum_to_one(case):
    where = case.squares()
    A = naive.sample_matrix(where, case.shape)
    np.testing.assert_allclose(A.sum(axis=1), where.seen, atol=1e-12)
    np.testing.assert_allclose(A @ np.full(A.shape[1], 0.37), 0.37 * where.seen, atol=1e-12)
    assert A.min() >= 0


def test_samples_see_their_own_colour_only(case):
    where = case.squares()
    A = naive.sample_matrix(where, case.shape)
    only = np.zeros((3, *case.shape))
    only[1] = 1
    np.testing.assert_allclose(A @ only.ravel(), where.seen & (where.colour == 1), atol=1e-12)


def test_the_right_side_is_the_adjoint(case, rng):
    """<A x, y> = <x, A^T y>: with all weights 1, `right` is A^T y, and `misfit` knows A x."""
    case = replace(case, samples=np.nan_to_num(case.samples), robustness=np.ones_like(case.robustness), certainty=np.ones_like(case.certainty))
    _, right = case.gathered()
    x = rng.uniform(0.1, 0.9, right.shape).astype(np.float32)
    where = case.squares()
    seen = naive.sample_matrix(where, case.shape) @ x.ravel().astype(float)
    assert float((right * x).sum(dtype=float)) == pytest.approx(float(seen @ case.samples.ravel()), rel=1e-5)
    explained = replace(case, samples=np.where(where.seen, seen, 0).reshape(case.samples.shape).astype(np.float32))
    total = misfits(explained, x)[0]
    assert total.max() < 1e-11


def test_normal_matrix_is_symmetric_and_not_negative(case, rng):
    N, _ = naive.normal_equations(*case.matrices())
    assert abs(N - N.T).max() <= 1e-9 * abs(N).max()
    found = naive.matrix_of(case.gathered()[0])
    x = rng.normal(0, 1, (N.shape[0], 20))
    np.testing.assert_array_less(0, np.einsum("ik,ik->k", x, found @ x))


def test_row_sums_are_the_weight_of_the_samples(case):
    A, w, y = case.matrices()
    N, _ = naive.normal_equations(A, w, y)
    ones = np.ones(A.shape[1])
    np.testing.assert_allclose(N @ ones, A.T @ w, rtol=1e-9, atol=1e-9)
    information = product(case.gathered()[0], np.ones((3, *case.shape), np.float32))
    close(information.ravel(), naive.inside(case.shape, case.reach) * (A.T @ w), EQUATIONS_RELATIVE)


@pytest.mark.parametrize("shape", SHAPES)
def test_product_is_the_matrix(scale, shape, rng):
    case = case_of(scale, rng, shape=shape)
    normal, _ = case.gathered()
    x = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    expected = naive.inside(shape, case.reach) * (naive.matrix_of(normal) @ x.ravel().astype(float))
    close(product(normal, x).ravel(), expected, PRODUCT_RELATIVE)


def test_product_is_linear_and_symmetric(case, rng):
    normal, _ = case.gathered()
    inside = naive.inside(case.shape, case.reach).reshape(3, *case.shape)
    u, v = (inside * rng.normal(0, 1, inside.shape) for _ in range(2))
    u, v = u.astype(np.float32), v.astype(np.float32)
    a, b = product(normal, u), product(normal, v)
    close(product(normal, u + np.float32(2) * v), a + 2 * b, PRODUCT_RELATIVE)
    left, right = float((v * a).sum(dtype=float)), float((u * b).sum(dtype=float))
    assert left == pytest.approx(right, rel=1e-4, abs=1e-5 * float(np.abs(v * a).sum()))


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.3])
def test_blur_is_the_matrix(sigma, rng):
    taps, x = gaussian(sigma), rng.normal(0, 1, (3, 17, 22)).astype(np.float32)
    out = np.empty_like(x)
    normal_matrix_loops.blur(x, taps, np.empty_like(x), out)
    close(out.ravel(), naive.blur_matrix(taps.astype(float), (17, 22)) @ x.ravel().astype(float), PRODUCT_RELATIVE)


def test_blur_is_self_adjoint_and_keeps_constants():
    taps = gaussian(0.8)
    G = naive.blur_matrix(taps.astype(float), (17, 22))
    assert abs(G - G.T).max() == 0
    inside = naive.inside((17, 22), len(taps) // 2) > 0
    np.testing.assert_allclose((G @ np.full(3 * 17 * 22, 0.4))[inside], 0.4, rtol=1e-6)


def misfits(case, image):
    footprints = case.footprints()
    total, count, signed = np.zeros((3, *case.robustness.shape), np.float32)
    sums = (total.ravel(), count.ravel(), signed.ravel())
    loops.misfit(footprints.where, footprints.how, np.float32(case.scale), image.ravel(), case.shape[1], *sums)
    return total, count, signed


@pytest.mark.parametrize("sigma", BLURS)
@pytest.mark.parametrize("scale", SCALES)
def test_misfit_engines_agree(scale, sigma, rng):
    case = case_of(scale, rng, sigma)
    case.samples[::5, ::3] = 1  # saturated
    x = (naive.blur_matrix(case.taps.astype(float), case.shape) @ rng.uniform(0, 1.4, 3 * case.shape[0] * case.shape[1])).reshape(3, *case.shape)
    total, count, signed = misfits(case, x.astype(np.float32))
    T, n, S = naive.misfit(case.squares(), case.samples.astype(float), x, case.corner, case.certainty, case.robustness.shape)
    np.testing.assert_array_equal(count, n)
    close(total, T, EQUATIONS_RELATIVE)
    close(signed, S, EQUATIONS_RELATIVE)
    assert n.sum() == case.squares().seen.sum()


def test_saturated_samples_ask_for_enough_light_only(case):
    full = replace(case, samples=np.ones_like(case.samples))
    assert not misfits(full, np.full((3, *case.shape), 1.5, np.float32))[0].any()
    assert misfits(full, np.full((3, *case.shape), 0.5, np.float32))[0].any()
