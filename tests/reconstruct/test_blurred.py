"""Samples of blurred frames: footprints, their loops, and what blurred frames add to an image."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of
from scipy import sparse
from scipy.sparse.linalg import spsolve

from burstsr import Settings, super_resolve
from burstsr.core.blur import Blur, BlurKernel
from burstsr.core.noise import Noise
from burstsr.reconstruct import cg_loops, naive, normal_matrix_loops
from burstsr.reconstruct.blurred_frames import NO_SAMPLES, BlurredFrame, footprints, joined
from burstsr.settings import ReconstructSettings
from reconstruct.conftest import case_of
from reconstruct.test_solve import BALANCE, Problem

BLURS = [Blur(0.02, 0.0, 0.05), Blur(0.1, 0.06, 0.1), Blur(0.15, -0.05, 0.04), Blur(0.6, 0.1, 0.2)]
SHARP = Blur(0.0, 0.0, 0.0)


@pytest.mark.parametrize("blur", BLURS)
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0])
def test_moments_of_a_footprint_are_those_of_the_blur_and_the_areas(blur, scale):
    """Moments about the sample's centre: the blur's, s^2 / 12 of the sample's area, 1 / 12 of an output pixel's."""
    tables = footprints(blur, scale).astype(float)
    phases, taps = tables.shape[0], tables.shape[2]
    np.testing.assert_allclose(tables.sum((2, 3)), 1, atol=1e-5)
    assert not tables[..., taps:].any()
    pixel = np.arange(tables.shape[3]) + 0.5 - (taps - int(np.ceil(scale)) - 1) // 2
    away = pixel[None] - ((np.arange(phases) + 0.5) / phases + scale / 2)[:, None]  # (phase, pixel)
    yy = np.einsum("pqab,pa->", tables, away[:, :taps] ** 2) / phases**2
    xx = np.einsum("pqab,qb->", tables, away**2) / phases**2
    yx = np.einsum("pqab,pa,qb->", tables, away[:, :taps], away) / phases**2
    area = (scale**2 + 1) / 12
    np.testing.assert_allclose((yy - area, yx, xx - area), np.array(blur) * scale**2, atol=0.06 * scale**2 * blur.rms_px**2 + 0.003)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0])
def test_without_blur_a_footprint_is_the_pixels_area(scale):
    tables = footprints(SHARP, scale)
    taps = int(np.ceil(scale)) + 1
    for k in range(tables.shape[0]):
        start = (k + 0.5) / tables.shape[0]
        pixel = np.arange(taps)
        share = np.maximum(np.minimum(pixel + 1, start + scale) - np.maximum(pixel, start), 0) / scale
        rows = tables[k].sum(axis=-1).mean(axis=0)
        middle = (len(rows) - taps) // 2
        np.testing.assert_allclose(rows[middle : middle + taps], share, atol=1e-5)


def frame_on(case, blur):
    """A case's samples as those of a blurred frame, and their weights and values."""
    spot = case.footprints()
    frame = BlurredFrame.of(spot.where, spot.how, case.shape, blur, case.scale)
    weight = spot.how[2, frame.kept] * case.robustness.ravel()[spot.where[1, frame.kept]]
    return frame, weight, spot.how[3, frame.kept]


def dense(frame):
    """A, (n, 3 h w)."""
    rows = frame.footprints.shape[2]
    table, size = frame.footprints.ravel(), 3 * frame.shape[0] * frame.shape[1]
    matrix = sparse.lil_array((len(frame.first), size))
    for i, (first, at) in enumerate(zip(frame.first, frame.at, strict=True)):
        for a in range(rows):
            for b in range(rows):
                matrix[i, first + a * frame.shape[1] + b] = table[at + a * frame.footprints.shape[3] + b]
    return sparse.csr_array(matrix)


@pytest.mark.parametrize("blur", BLURS)
def test_means_and_their_adjoint_are_products_with_the_matrix(blur, rng):
    frame, weight, _ = frame_on(case_of(2.0, rng), blur)
    A, image = dense(frame), rng.uniform(size=(3, *frame.shape)).astype(np.float32)
    np.testing.assert_allclose(frame.means(image), A @ image.ravel(), atol=1e-5)
    out = np.zeros_like(image)
    frame.add_spread(weight, out)
    np.testing.assert_allclose(out.ravel(), A.T @ weight, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(joined([(frame, weight)]).diagonal, (A.power(2)).T @ weight, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_sharp_and_blurred_samples_are_solved_together(sigma, rng):
    """Many iterations solve the system with both parts of the normal matrix, as a direct solution does."""
    problem = Problem(2.0, sigma, rng, chroma=0.0)
    parts = [frame_on(case_of(2.0, rng, sigma), blur) for blur in BLURS]
    wide = joined([(frame, weight) for frame, weight, _ in parts])
    soft = sum(dense(frame).T @ sparse.diags_array(weight.astype(float)) @ dense(frame) for frame, weight, _ in parts)
    inside = naive.inside(problem.shape, problem.reach)
    right = sum(dense(frame).T @ (weight * values) for frame, weight, values in parts)
    right = problem.right.ravel() + problem.G @ (inside * right)
    D = sparse.diags_array(problem.pull.ravel().astype(float))
    mask = sparse.diags_array(inside)
    H = sparse.csr_array(problem.G @ mask @ (problem.N + soft) @ problem.G + D)
    b = right + D @ problem.target.ravel()
    known = problem.x.ravel().astype(float)
    at, outside = np.flatnonzero(problem.inside), np.flatnonzero(~problem.inside)
    direct = spsolve(sparse.csc_array(H[at][:, at]), b[at] - H[at][:, outside] @ known[outside])
    x, seen, scratch = problem.x.copy(), np.empty_like(problem.x), normal_matrix_loops.scratch_for(problem.x.shape)
    normal_matrix_loops.seen_of(problem.normal, wide, problem.taps, x, seen, scratch)
    penalty = (problem.pull, np.float32(0), BALANCE, problem.target, 150, 0.0)
    cg_loops.conjugate_gradient(problem.normal, wide, problem.taps, right.reshape(x.shape).astype(np.float32), *penalty, x, seen, scratch)
    np.testing.assert_allclose(x.ravel()[at], direct, atol=1e-4)


def test_no_blurred_frames_are_no_samples():
    assert joined([]) is NO_SAMPLES


SHAPE, SCALE = (96, 128), 2


def seen_along(spectrum, shift, path, noise, rng):
    """(H, W) of a periodic texture at twice the resolution, moved by `shift` raw pixels, seen along a path during the exposure; exact."""
    fine = (SCALE * SHAPE[0], SCALE * SHAPE[1])
    fy, fx = np.fft.fftfreq(fine[0])[:, None] * SCALE, np.fft.rfftfreq(fine[1])[None] * SCALE  # cycles per raw pixel
    moved = [np.exp(-2j * np.pi * (fy * (shift[0] + dy) + fx * (shift[1] + dx))) for dy, dx in path]
    image = np.fft.irfft2(spectrum * np.mean(moved, axis=0), fine)
    raw = image.reshape(SHAPE[0], SCALE, SHAPE[1], SCALE).mean((1, 3))
    return raw + np.sqrt(noise.variance(np.maximum(raw, 0), 1)) * rng.standard_normal(SHAPE)


def textured(rng):
    """(H, W) at twice the resolution: periodic, with the power law of photographs."""
    fine = (SCALE * SHAPE[0], SCALE * SHAPE[1])
    fy, fx = np.fft.fftfreq(fine[0])[:, None], np.fft.rfftfreq(fine[1])[None]
    spectrum = np.fft.rfft2(rng.standard_normal(fine)) / np.maximum(np.hypot(fy, fx), 0.01) ** 1.3
    texture = np.fft.irfft2(spectrum, fine)
    return np.clip(0.35 + 0.08 * (texture - texture.mean()) / texture.std(), 0.02, 0.9)


def burst_along(truth, paths, rng):
    """One frame per path, displaced by up to 2 raw pixels against the first."""
    noise, spectrum = Noise.of_iso(100), np.fft.rfft2(truth)
    shifts = np.concatenate([np.zeros((1, 2)), rng.uniform(-2, 2, (len(paths) - 1, 2))])
    return burst_of([seen_along(spectrum, shift, path, noise, rng) for shift, path in zip(shifts, paths, strict=True)], noise=noise)


def error(result, truth):
    inner = np.s_[32:-32, 32:-32]
    return np.sqrt(np.mean((result.image[inner][..., 1] - truth[inner]) ** 2))


def line(length_px, angle):
    return np.linspace(-length_px / 2, length_px / 2, 21)[:, None] * (np.sin(angle), np.cos(angle))


BEST = Settings(mode="best", reference=0, measure_noise=False)


def test_blurred_frames_add_detail(rng):
    """Three sharp frames alone, and with six more that the hand moved by 0.5 raw pixels RMS: these are not to be left out."""
    truth, paths = textured(rng), [np.zeros((1, 2))] * 3 + [line(1.7, a) for a in rng.uniform(0, np.pi, 6)]
    burst = burst_along(truth, paths, rng)
    everything = super_resolve(burst, BEST)
    weights = [frame.weight for frame in everything.report.frames]
    assert min(weights[1:3]) == 1 and min(weights[3:]) > 0.5
    assert error(everything, truth) < 0.93 * error(super_resolve(replace(burst, frames=burst.frames[:3]), BEST), truth)
    assert error(everything, truth) < error(super_resolve(burst, replace(BEST, weigh_blur=False)), truth)


def test_kernels_of_all_frames_are_found_the_references_too(rng):
    """Two frames are sharp, the reference and four others are not: what each saw is known from the image that all of them give."""
    truth = textured(rng)
    lengths = np.array([2.2, 0, 0, 3, 3, 3, 3])
    burst = burst_along(truth, [line(*pair) for pair in zip(lengths, rng.uniform(0, np.pi, len(lengths)), strict=True)], rng)
    result = super_resolve(burst, BEST)
    np.testing.assert_allclose([frame.blur_px for frame in result.report.frames], lengths / np.sqrt(12), atol=0.12)
    gaussians = super_resolve(burst, replace(BEST, reconstruct=ReconstructSettings(blur_refinements=0)))
    assert error(result, truth) < 0.98 * error(gaussians, truth)


def test_footprints_of_a_kernel_are_displaced_areas():
    values = np.zeros((13, 13))
    values[6, 6], values[4, 9] = 0.75, 0.25
    blur = BlurKernel(tuple(values.ravel().tolist()), 0.5)
    assert blur.rms_px == pytest.approx(0.5 * np.sqrt(0.75 * 0.25 * (2**2 + 3**2)))
    tables, plain = footprints(blur, 2.0), footprints(SHARP, 2.0)[..., :3, :3]
    assert tables.shape[2] == 9  # 3 beyond the area on each side
    expected = np.zeros_like(tables)
    expected[:, :, 3:6, 3:6] = 0.75 * plain
    expected[:, :, 1:4, 6:9] += 0.25 * plain
    np.testing.assert_allclose(tables, expected, atol=1e-5)
