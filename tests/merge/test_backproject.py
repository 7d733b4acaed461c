"""Sharpening by what the image leaves unexplained."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import MERGE_ABSOLUTE

from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.merge import KernelMerge, ReferenceImage, add_wiener_residual, blend_reference_detail, frame_loops, naive
from burstsr.merge.strips import Planes
from burstsr.settings import MergeSettings

NOISE = Noise.of_iso(100)
ONE = np.ones((4, 4), np.float32)
RGGB = np.array([[0, 1], [1, 2]], np.int64)


def left(engine, mosaic, image, scale=2.0, back=None, tile=16):
    """What is left of samples, which are rounded to 16 bits first."""
    shape = mosaic.shape
    grid = (-(-shape[0] // tile), -(-shape[1] // tile), 2)
    back = np.zeros(grid, np.float32) if back is None else np.broadcast_to(np.array(back, np.float32), grid).copy()
    numbers = np.rint(np.minimum(mosaic, 1) * 65535).astype(np.uint16)
    out = np.full(shape, np.nan, np.float32)
    if engine == "naive":
        naive.residuals(0, shape[0], (numbers / np.float32(65535)).astype(np.float32), RGGB, image, np.float32(scale), back, tile, out)
        return out
    planes = Planes.for_rows(np.array([0]), np.array([shape[0] - 1]), shape[1], (0, 0))
    levels = np.zeros((2, 2), np.float32), np.full((2, 2), 1 / 65535, np.float32)
    place = (int(planes.tops[0]), int(planes.rows[0]), planes.stride, int(planes.bases[0]), planes.values)
    frame_loops.split_residuals(numbers, *levels, (0, 0), *place, image, scale, back, tile)
    four = planes.values[planes.bases[0] :][: 4 * planes.sizes[0]].reshape(2, 2, planes.rows[0], planes.stride)
    for i in (0, 1):
        for j in (0, 1):
            out[i::2, j::2] = four[i, j, : shape[0] // 2, 1 : 1 + shape[1] // 2]  # BORDER is one column of a plane
    return out


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0])
def test_the_truth_explains_everything(engine, scale):
    image = np.full((round(16 * scale), round(24 * scale), 3), 0.3, np.float32)
    np.testing.assert_allclose(left(engine, np.full((16, 24), 0.3, np.float32), image, scale), 0, atol=1e-5)


def test_a_sample_is_the_mean_of_its_square(engine, rng):
    image = rng.uniform(0, 0.9, (32, 32, 3)).astype(np.float32)
    mean = image.reshape(16, 2, 16, 2, 3).mean((1, 3))
    y, x = np.mgrid[:16, :16]
    mosaic = mean[y, x, RGGB[y % 2, x % 2]].astype(np.float32)
    np.testing.assert_allclose(left(engine, mosaic, image), 0, atol=1e-5)


def test_motion_is_followed(engine, rng):
    image = rng.uniform(0, 0.9, (40, 40, 3)).astype(np.float32)
    mean = image.reshape(20, 2, 20, 2, 3).mean((1, 3))
    y, x = np.mgrid[:20, :20]
    frame = np.roll(mean, (3, -2), (0, 1))[y, x, RGGB[y % 2, x % 2]].astype(np.float32)  # frame(p + (3, -2)) = reference(p)
    np.testing.assert_allclose(left(engine, frame, image, back=(-3.0, 2.0))[4:-4, 4:-4], 0, atol=1e-5)


def test_saturated_samples_only_bound_from_below(engine):
    mosaic = np.ones((8, 8), np.float32)
    assert (left(engine, mosaic, np.full((16, 16, 3), 1.5, np.float32)) == 0).all()
    np.testing.assert_allclose(left(engine, mosaic, np.full((16, 16, 3), 0.5, np.float32)), 0.5, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1.7, 2.0, 3.0])
@pytest.mark.parametrize("shape", [(16, 16), (18, 34), (2, 2)])
def test_engines_agree(scale, shape, rng):
    mosaic = rng.uniform(0, 1.1, shape).astype(np.float32)
    image = rng.uniform(0, 1.1, (round(scale * shape[0]), round(scale * shape[1]), 3)).astype(np.float32)
    back = rng.normal(0, 2, (-(-shape[0] // 16), -(-shape[1] // 16), 2)).astype(np.float32)
    results = [left(engine, mosaic, image, scale, back) for engine in ("naive", "loops")]
    np.testing.assert_allclose(results[0], results[1], atol=MERGE_ABSOLUTE)


def test_merging_the_unexplained_of_the_truth_changes_nothing():
    truth = np.full((64, 64, 3), 0.4, np.float32)
    kernel = np.zeros((16, 16, 3), np.float32)
    kernel[..., [0, 2]] = 4
    accumulator = KernelMerge(2.0, kernel, 0.05, explained=truth)
    accumulator.add(frame_of(np.full((32, 32), 0.4)), Flow.zero((32, 32), 16), np.ones((16, 16), np.float32))
    residual, weight = accumulator.result()
    np.testing.assert_allclose(residual, 0, atol=3e-5)
    image = truth.copy()
    add_wiener_residual(image, residual, weight, NOISE, MergeSettings(step_size=1.5, residual_snr_threshold=1.5), 2.0)
    np.testing.assert_allclose(image, truth, atol=5e-5)


def test_noise_is_not_added_and_detail_is(rng):
    base = np.full((64, 64, 3), 0.3, np.float32)
    weight = np.full_like(base, 4.0)
    noise = (rng.standard_normal(base.shape) * np.sqrt(NOISE.variance(0.3, 1) * 0.5 / 4)).astype(np.float32)
    image = base.copy()
    add_wiener_residual(image, noise.copy(), weight, NOISE, MergeSettings(step_size=1.0, residual_snr_threshold=1.5), 2.0)
    assert (image - base).std() < 0.3 * noise.std()
    detail = np.where(np.arange(64) % 8 < 4, 0.1, -0.1).astype(np.float32)[None, :, None] * np.ones_like(base)
    image = base.copy()
    add_wiener_residual(image, detail.copy(), weight, NOISE, MergeSettings(step_size=1.0, residual_snr_threshold=1.5), 2.0)
    np.testing.assert_allclose(image, base + detail, atol=0.01)


def test_gain_zero_leaves_the_image(rng):
    image = rng.uniform(0, 0.9, (32, 32, 3)).astype(np.float32)
    before = image.copy()
    residual = rng.normal(0, 1, image.shape).astype(np.float32)
    add_wiener_residual(image, residual, np.ones_like(image), NOISE, MergeSettings(step_size=0.0), 2.0)
    np.testing.assert_array_equal(image, before)


def test_blending_takes_edges_from_the_single_frame_and_flat_areas_from_the_merge(rng):
    merged = np.full((600, 64, 3), 0.3, np.float32)  # more rows than a strip
    noise = Noise.of_iso(1600)
    single = merged + (rng.standard_normal(merged.shape) * np.sqrt(noise.variance(0.3, 1))).astype(np.float32)
    single[:, 40:] += 0.5
    out = merged.copy()
    blend_reference_detail(out, np.full_like(out, 20.0), ReferenceImage(lambda a, b: single[a:b], ONE), noise, 4.0, 2.0)
    assert out[:, :34].std() < 0.2 * single[:, :34].std()
    np.testing.assert_allclose(out[:, 44:], single[:, 44:], atol=0.02)
    alone = merged.copy()
    # as noisy as one sample: the single frame, whole
    blend_reference_detail(alone, np.full_like(merged, 0.5), ReferenceImage(lambda a, b: single[a:b], ONE), noise, 4.0, 2.0)
    np.testing.assert_allclose(alone, single, atol=1e-6)
    untouched = merged.copy()
    blend_reference_detail(untouched, np.full_like(merged, 20.0), ReferenceImage(lambda a, b: merged[a:b], ONE), noise, 4.0, 2.0)
    np.testing.assert_allclose(untouched, merged, atol=1e-7)
