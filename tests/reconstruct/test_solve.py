"""Conjugate gradients on the normal equations, against dense vectors and a direct solution."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve
from tolerances import DESCEND_ABSOLUTE, EXCESS_RELATIVE

from burstsr.reconstruct import cg_loops, naive, normal_matrix_loops
from burstsr.reconstruct.blurred_frames import NO_SAMPLES
from reconstruct.conftest import BLURS, SCALES, case_of

BALANCE = np.array([0.6, 1.0, 0.45], np.float32)


class Problem:
    """Equations of a few frames, a target and a start."""

    def __init__(self, scale, sigma, rng, frames=3, chroma=1.0, shape=(23, 26), fade=0):
        cases = [case_of(scale, rng, sigma, shape=shape) for _ in range(frames)]
        self.shape, self.reach, self.taps, self.chroma = shape, cases[0].reach, cases[0].taps, chroma
        if fade:  # samples near the edge count for nothing
            for case in cases:
                case.certainty[:] *= naive.inside(shape, fade).reshape(3, *shape) + np.float32(1e-12)
        self.normal, self.samples = np.zeros_like(cases[0].gathered()[0]), []
        self.right = np.zeros((3, *shape), np.float32)
        for case in cases:
            normal, right = case.gathered()
            self.normal += normal
            self.right += right
            self.samples.append(case.matrices())
        self.N = naive.matrix_of(self.normal)
        self.G = naive.blur_matrix(self.taps.astype(float), shape)
        inside = naive.inside(shape, self.reach)
        self.right = (self.G @ (inside * self.right.ravel())).reshape(3, *shape).astype(np.float32)
        self.pull = (self.normal[:, :, 0, self.reach].mean() * rng.uniform(0.3, 3, (3, *shape))).astype(np.float32)
        self.target, self.x = (rng.uniform(0.1, 0.9, (3, *shape)).astype(np.float32) for _ in range(2))
        self.inside = inside > 0

    def loops(self, iterations, settled=0.0):
        """x and excess."""
        x = self.x.copy()
        seen, scratch = np.empty_like(x), normal_matrix_loops.scratch_for(x.shape)
        normal_matrix_loops.seen_of(self.normal, NO_SAMPLES, self.taps, x, seen, scratch)
        pull = (self.pull, np.float32(self.chroma), BALANCE, self.target, iterations, settled)
        least = cg_loops.conjugate_gradient(self.normal, NO_SAMPLES, self.taps, self.right, *pull, x, seen, scratch)
        self.least, self.seen = least, seen
        misfit_difference = cg_loops.misfit_difference(self.normal, NO_SAMPLES, self.taps, self.right, self.target, x, seen, scratch)
        return x, misfit_difference

    def paper(self, iterations):
        arguments = (self.N, self.taps.astype(float), self.right.astype(float), self.pull.astype(float), self.chroma, BALANCE.astype(float), self.target)
        return naive.conjugate_gradient(*arguments, iterations, self.x, self.reach)

    def misfit(self, x):
        """Sum of w (a . G x - y)^2."""
        seen = self.G @ x.ravel().astype(float)
        return sum(float(np.sum(np.where(np.diff(A.indptr) > 0, w * (A @ seen - np.nan_to_num(y.ravel())) ** 2, 0))) for A, w, y in self.samples)


@pytest.mark.parametrize("sigma", BLURS)
@pytest.mark.parametrize("scale", SCALES)
def test_engines_agree(scale, sigma, rng):
    problem = Problem(scale, sigma, rng)
    for iterations in (1, 4):
        x, misfit_difference = problem.loops(iterations)
        expected, excess_expected = problem.paper(iterations)
        np.testing.assert_allclose(x, expected, atol=DESCEND_ABSOLUTE)
        assert misfit_difference == pytest.approx(excess_expected, rel=EXCESS_RELATIVE)


@pytest.mark.parametrize("shape", [(9, 31), (30, 12), (12, 12)])
def test_engines_agree_on_ragged_tiles(shape, rng):
    problem = Problem(2.0, 0.7, rng, shape=shape)
    np.testing.assert_allclose(problem.loops(4)[0], problem.paper(4)[0], atol=DESCEND_ABSOLUTE)


@pytest.mark.parametrize("blurred", [False, True])
@pytest.mark.parametrize("scale", SCALES)
def test_one_plane_is_solved_as_each_of_three_without_colour(scale, blurred, rng):
    problem = Problem(scale, 0.7 if blurred else 0.0, rng, chroma=0.0)
    three, _ = problem.loops(200)
    for plane in range(3):
        cut = slice(plane, plane + 1)
        x, seen, scratch = problem.x[cut].copy(), np.empty_like(problem.x[cut]), normal_matrix_loops.scratch_for((1, *problem.shape))
        normal, right, target = problem.normal[cut].copy(), problem.right[cut].copy(), problem.target[cut].copy()
        normal_matrix_loops.seen_of(normal, NO_SAMPLES, problem.taps, x, seen, scratch)
        arguments = (problem.pull[cut].copy(), np.float32(5), None, target, 200, 0.0)  # no balance, no colour differences: chroma counts for nothing
        least = cg_loops.conjugate_gradient(normal, NO_SAMPLES, problem.taps, right, *arguments, x, seen, scratch)
        np.testing.assert_allclose(x[0], three[plane], atol=DESCEND_ABSOLUTE)
        difference = cg_loops.misfit_difference(normal, NO_SAMPLES, problem.taps, right, target, x, seen, scratch)
        assert least <= difference + 1e-4 * abs(difference)


def test_no_iterations_change_nothing(rng):
    problem = Problem(2.0, 0.7, rng)
    np.testing.assert_array_equal(problem.loops(0)[0], problem.x)


def test_the_outermost_pixels_stay(scale, rng):
    problem = Problem(scale, 0.7, rng)
    x, _ = problem.loops(5)
    outside = ~problem.inside.reshape(x.shape)
    np.testing.assert_array_equal(x[outside], problem.x[outside])
    assert (x != problem.x)[~outside].all()


@pytest.mark.parametrize("sigma", BLURS)
@pytest.mark.parametrize("chroma", [0.0, 1.0, 5.0])
def test_many_iterations_solve_the_system(sigma, chroma, rng):
    problem = Problem(2.0, sigma, rng, chroma=chroma)
    C = naive.colour_differences(BALANCE.astype(float), problem.shape[0] * problem.shape[1])
    E = chroma * C.T @ sparse.diags_array(np.tile(problem.pull[1].ravel(), 2).astype(float)) @ C
    DE = sparse.diags_array(problem.pull.ravel().astype(float)) + E
    H = sparse.csr_array(problem.G @ sparse.diags_array(problem.inside.astype(float)) @ problem.N @ problem.G + DE)
    b = problem.right.ravel() + DE @ problem.target.ravel()
    inside, outside = np.flatnonzero(problem.inside), np.flatnonzero(~problem.inside)
    known = problem.x.ravel().astype(float)
    direct = spsolve(sparse.csc_array(H[inside][:, inside]), b[inside] - H[inside][:, outside] @ known[outside])
    x, _ = problem.loops(120)
    np.testing.assert_allclose(x.ravel()[inside], direct, atol=5e-5)


def test_every_iteration_comes_nearer(rng):
    """Conjugate gradients lower the cost x H x / 2 - b x with every step."""
    problem = Problem(2.0, 0.7, rng)
    DE = sparse.diags_array(problem.pull.ravel().astype(float))
    problem.chroma = 0.0

    def cost(x):
        pulled = (x - problem.target).ravel().astype(float)
        return problem.misfit(x) + float(pulled @ (DE @ pulled))

    costs = [cost(problem.loops(n)[0]) for n in (0, 1, 2, 4, 8)]
    assert costs == sorted(costs, reverse=True) and costs[-1] < 0.5 * costs[0]


def test_no_pull_and_no_samples_change_nothing(rng):
    """Where nothing is known and nothing pulls, there is nothing to descend."""
    problem = Problem(2.0, 0.0, rng)
    problem.normal[:], problem.right[:] = 0, 0
    problem.target = problem.x.copy()
    np.testing.assert_array_equal(problem.loops(3)[0], problem.x)


def test_a_strong_pull_returns_the_target(rng):
    problem = Problem(2.0, 0.7, rng)
    problem.pull *= np.float32(1e5)
    x, _ = problem.loops(20)
    inside = problem.inside.reshape(x.shape)
    problem.x[:] = problem.target
    np.testing.assert_allclose(x[inside], problem.target[inside], atol=2e-3)


@pytest.mark.parametrize("sigma", BLURS)
def test_excess_is_the_misfit_gained(sigma, rng):
    """By how much the target explains the samples worse than x, summed over the samples themselves; those that count lie well inside."""
    problem = Problem(2.0, sigma, rng, fade=7)
    x, misfit_difference = problem.loops(6)
    expected = problem.misfit(problem.target) - problem.misfit(x)
    assert expected > 0
    assert misfit_difference == pytest.approx(expected, rel=1e-3)


def test_what_has_settled_stays(rng):
    """Steps too small to matter are not made: the solution is the same but for these."""
    problem = Problem(2.0, 0.0, rng)
    x, few = problem.loops(120)[0], problem.loops(120, 1e-4)[0]
    deviation = 1 / np.sqrt(problem.pull + problem.normal[:, :, 0, problem.reach])
    assert 0 < np.sqrt(np.mean(((few - x) / deviation) ** 2)) < 0.03
    np.testing.assert_array_equal(problem.loops(120, 1e9)[0], problem.loops(1)[0])


def test_the_excess_is_no_less_than_its_bound(rng):
    problem = Problem(2.0, 0.7, rng, fade=7)
    _, misfit_difference = problem.loops(6)
    assert 0 < problem.least <= misfit_difference


@pytest.mark.parametrize("sigma", BLURS)
def test_what_x_is_seen_as_is_kept(sigma, rng):
    problem = Problem(2.0, sigma, rng)
    x, _ = problem.loops(6)
    expected = np.empty_like(x)
    normal_matrix_loops.seen_of(problem.normal, NO_SAMPLES, problem.taps, x, expected, normal_matrix_loops.scratch_for(x.shape))
    np.testing.assert_allclose(problem.seen, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_an_image_that_explains_its_samples_stays(rng):
    """Samples made of x itself and a target equal to x: nothing moves, and nothing is in excess."""
    problem = Problem(2.0, 0.7, rng, fade=7)
    problem.target = problem.x.copy()
    truth = problem.G @ (problem.N @ (problem.G @ problem.x.ravel().astype(float)))
    problem.right = truth.reshape(problem.x.shape).astype(np.float32)
    x, misfit_difference = problem.loops(4)
    np.testing.assert_allclose(x, problem.x, atol=1e-5)
    assert abs(misfit_difference) < 1e-3 * abs(float((problem.x.ravel() * truth).sum()))
