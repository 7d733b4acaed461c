"""The merge: physical laws and the two engines."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import MERGE_ABSOLUTE

from burstsr.core.coords import raw_position
from burstsr.core.flow import Flow
from burstsr.core.sensor import clipped_samples
from burstsr.merge import KernelMerge, naive, weigh_loops

ORDERS = ["RGGB", "BGGR", "GRBG", "GBRG"]
TINY = 1e-6


def round_kernel(shape, sigma):
    kernel = np.zeros((shape[0] // 2, shape[1] // 2, 3), np.float32)
    kernel[..., [0, 2]] = 1 / sigma**2
    return kernel


def merged(frames, flows, scale=2.0, sigma=0.5, robustness_maps=None, fallback=0.0):
    shape = frames[0].info.shape
    size = (round(scale * shape[0]), round(scale * shape[1]), 3)
    accumulator = KernelMerge(scale, round_kernel(shape, sigma), TINY, fallback=np.full(size, fallback, np.float32))
    for i, (frame, flow) in enumerate(zip(frames, flows, strict=True)):
        robustness = np.ones((shape[0] // 2, shape[1] // 2), np.float32) if robustness_maps is None else robustness_maps[i]
        accumulator.add(frame, flow, robustness)
    return accumulator.result()


def still(shape, tile=16):
    return Flow.zero(shape, tile)


@pytest.mark.parametrize("cfa", ORDERS)
@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_constant_in_constant_out(cfa, scale):
    colour = (0.2, 0.5, 0.8)
    frame = frame_of(np.broadcast_to(colour, (32, 48, 3)), cfa=cfa)
    image, weight = merged([frame], [still((32, 48))], scale)
    assert image.shape == (round(32 * scale), round(48 * scale), 3)
    np.testing.assert_allclose(image, np.broadcast_to(colour, image.shape), atol=3e-5)
    assert (weight > 0).all()


@pytest.mark.parametrize("cfa", ORDERS)
def test_a_slope_stays_where_it_is(cfa):
    """No shift between output and raw coordinates, for any order of colours: a linear ramp comes out as itself on average."""
    y, x = np.mgrid[:32, :32].astype(float)
    ramp = np.repeat((0.2 + 0.01 * y + 0.005 * x)[..., None], 3, 2)
    image, _ = merged([frame_of(ramp, cfa=cfa)], [still((32, 32))], 2.0, sigma=0.8)
    oy, ox = np.mgrid[:64, :64]
    expected = 0.2 + 0.01 * raw_position(oy, 2.0) + 0.005 * raw_position(ox, 2.0)
    error = (image - expected[..., None])[8:-8, 8:-8]
    assert np.abs(error.mean((0, 1))).max() < 1e-4
    assert np.abs(error).max() < 0.012


def test_frame_order_is_irrelevant(texture, rng):
    frames = [frame_of(rng.uniform(0, 1, (32, 32))) for _ in range(4)]
    flows = [Flow(rng.normal(0, 1, (2, 2, 2)).astype(np.float32), 16) for _ in range(4)]
    a, _ = merged(frames, flows)
    b, _ = merged(frames[::-1], flows[::-1])
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_shifted_frame_lands_on_the_reference(texture):
    y, x = np.mgrid[:48, :48].astype(float)
    flow = Flow(np.full((3, 3, 2), (1.3, -2.6), np.float32), 16)
    smooth = lambda dy, dx: texture((y - dy) * 0.2, (x - dx) * 0.2)  # noqa: E731
    a, _ = merged([frame_of(smooth(0, 0))], [still((48, 48))])
    b, _ = merged([frame_of(smooth(1.3, -2.6))], [flow])
    assert np.abs(a - b)[12:-12, 12:-12].max() < 0.08
    assert np.abs((a - b)[12:-12, 12:-12].mean((0, 1))).max() < 1e-3


def test_whole_pixel_shift_of_the_cfa_period_changes_nothing(rng):
    scene = rng.uniform(0, 1, (64, 64))
    a, _ = merged([frame_of(scene[8:56, 8:56])], [still((48, 48))])
    b, _ = merged([frame_of(scene[4:52, 6:54])], [Flow(np.full((3, 3, 2), (4, 2), np.float32), 16)])
    np.testing.assert_allclose(a[16:-16, 16:-16], b[16:-16, 16:-16], atol=2e-5)


def test_zero_robustness_has_no_weight_and_the_fallback_remains(rng):
    none = [np.zeros((16, 16), np.float32)]
    image, weight = merged([frame_of(rng.uniform(0, 1, (32, 32)))], [still((32, 32))], robustness_maps=none, fallback=0.37)
    np.testing.assert_allclose(image, 0.37, atol=1e-6)
    np.testing.assert_allclose(weight, 0, atol=1e-6)


def test_a_rejected_frame_leaves_no_trace(rng):
    good, bad = frame_of(rng.uniform(0, 1, (32, 32))), frame_of(np.ones((32, 32)))
    one, zero = np.ones((16, 16), np.float32), np.zeros((16, 16), np.float32)
    a, _ = merged([good], [still((32, 32))])
    b, _ = merged([good, bad], [still((32, 32))] * 2, robustness_maps=[one, zero])
    np.testing.assert_array_equal(a, b)


def test_frames_that_left_the_image_give_nothing(rng):
    far = Flow(np.full((2, 2, 2), 500, np.float32), 16)
    image, weight = merged([frame_of(np.ones((32, 32)))], [far], fallback=0.5)
    np.testing.assert_allclose(image, 0.5, atol=1e-6)
    assert weight.max() < 1e-6


def test_noise_falls_as_weights_say(rng):
    """variance = sum w^2 s^2 / (sum w)^2: N equal frames divide the variance by N."""
    sigma, frames = 0.01, []
    for _ in range(16):
        frames.append(frame_of(0.5 + sigma * rng.standard_normal((64, 64))))
    one, _ = merged(frames[:1], [still((64, 64))])
    many, _ = merged(frames, [still((64, 64))] * 16)
    ratio = one[8:-8, 8:-8].var() / many[8:-8, 8:-8].var()
    assert ratio == pytest.approx(16, rel=0.15)


def test_frames_of_different_black_levels_merge_to_the_common_level():
    """Issue 15, fault 1: the first frame's black level was taken for all frames; 26 DN made 0.0200 into 0.0209."""
    frames = [frame_of(np.full((32, 32), 0.02), black=black, white=15000.0) for black in (512.0, 538.0)]
    for ordered in (frames, frames[::-1]):
        image, _ = merged(ordered, [still((32, 32))] * 2)
        np.testing.assert_allclose(image, 0.02, atol=4e-5)  # a DN


def test_what_is_left_unexplained_counts_from_each_frames_own_black():
    """Issue 15, fault 1, back projection: a result that explains all frames leaves nothing of any."""
    frames = [frame_of(np.full((32, 32), 0.02), black=black, white=15000.0) for black in (512.0, 538.0)]
    accumulator = KernelMerge(2.0, round_kernel((32, 32), 0.5), TINY, explained=np.full((64, 64, 3), 0.02, np.float32))
    for frame in frames:
        accumulator.add(frame, still((32, 32)), np.ones((16, 16), np.float32))
    np.testing.assert_allclose(accumulator.result()[0], 0, atol=4e-5)


def test_saturated_samples_are_exactly_one():
    frame = frame_of(np.ones((32, 32)), white=15000.0)
    frame.mosaic[:] = 16383
    image, _ = merged([frame], [still((32, 32))], fallback=1.0)
    np.testing.assert_allclose(image, 1.0, atol=1e-6)


def by_paper(frames, flows, robustness_maps, kernel, scale, weight, fallback, explained=None):
    """The merge by the naive version."""
    height, _, width = fallback.shape[0], 3, fallback.shape[1]
    num, den = np.moveaxis(fallback.astype(np.float64) * weight, 2, 1).copy(), np.full((height, 3, width), weight)
    for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
        mosaic, cfa = clipped_samples(frame).astype(np.float64), np.array(frame.info.cfa, np.int64)
        if explained is not None:
            left = np.empty_like(mosaic)
            naive.residuals(0, len(mosaic), mosaic, cfa, explained, scale, flow.inverse().tiles, flow.tile_px, left)
            mosaic = left
        mosaic = np.pad(mosaic, naive.BORDER, mode="reflect")
        naive.accumulate(0, height, mosaic, cfa, scale, flow.tiles, flow.tile_px, kernel.astype(np.float64), robustness.astype(np.float64), num, den)
    naive.normalise(0, height, num, den)
    return num.reshape(height, width, 3), den.reshape(height, width, 3) - weight


def random_kernels(cells, rng):
    v = rng.normal(0, 1.5, (*cells, 3, 2))
    t = np.einsum("yxka,yxkb->yxab", v, v) + np.eye(2)
    return np.ascontiguousarray(np.stack([t[..., 0, 0], t[..., 0, 1], t[..., 1, 1]], -1), np.float32)


# wild: tiles that disagree by pixels; calm: as hands move, where all pixels of a block have the same nearest sample but for the CFA cell
@pytest.mark.parametrize("motion", ["wild", "calm", "outside"])
@pytest.mark.parametrize("shape", [(32, 32), (2, 2), (18, 34), (40, 610)])
@pytest.mark.parametrize("scale", [1.0, 1.7, 2.0, 3.0])
def test_loops_agree_with_the_paper(shape, scale, motion, rng):
    cfa = ORDERS[rng.integers(4)]
    frames = [frame_of(rng.uniform(0, 1, shape), cfa=cfa, name=f"{i}.dng") for i in range(2)]
    grid, cells = (-(-shape[0] // 16), -(-shape[1] // 16), 2), (shape[0] // 2, shape[1] // 2)
    spread = {"wild": 1.5, "calm": 0.01, "outside": 0.5}[motion]
    shift = (0.3, -1.2) if motion != "outside" else (shape[0] / 2, -shape[1] / 3)
    flows = [Flow((rng.normal(0, spread, grid) + shift).astype(np.float32), 16) for _ in frames]
    robustness_maps = [rng.uniform(0, 1, cells).astype(np.float32) * (rng.uniform(0, 1, cells) > 0.2) for _ in frames]
    size = (round(scale * shape[0]), round(scale * shape[1]), 3)
    fallback, kernel = rng.uniform(0, 1, size).astype(np.float32), random_kernels(cells, rng)
    for explained in (None, rng.uniform(0, 1, size).astype(np.float32)):
        accumulator = KernelMerge(scale, kernel, 0.01, fallback=fallback.copy(), explained=explained)
        for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
            accumulator.add(frame, flow, robustness.astype(np.float32))
        found, weight = accumulator.result()
        expected, expected_weight = by_paper(frames, flows, robustness_maps, kernel, scale, 0.01, fallback, explained)
        close = np.abs(weight - expected_weight) <= MERGE_ABSOLUTE + 1e-3 * expected_weight
        assert close.mean() > 0.998  # where a position falls between two samples to rounding, engines may take either
        np.testing.assert_allclose(found[close], expected[close], atol=MERGE_ABSOLUTE * 2)


def test_kernels_narrower_than_a_tenth_of_a_pixel_count_as_that(rng):
    frame, shape = frame_of(rng.uniform(0, 1, (32, 32))), (32, 32)
    at, narrow = (merged([frame], [Flow(np.full((2, 2, 2), 0.21, np.float32), 16)], sigma=s) for s in (np.sqrt(2) / 10, 0.001))
    np.testing.assert_allclose(narrow[0], at[0], atol=1e-5)
    assert np.isfinite(narrow[0]).all() and shape == (32, 32)


def test_flows_on_other_tiles_are_merged_too(rng):
    frames = [frame_of(rng.uniform(0, 1, (32, 32)), name=f"{i}.dng") for i in range(2)]
    one, _ = merged(frames, [still((32, 32)), still((32, 32))])
    other, _ = merged(frames, [still((32, 32)), still((32, 32), tile=8)])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_polynomial_exponential():
    import numba

    of_merge = numba.njit(lambda x: weigh_loops.exp(x))
    x = np.linspace(-50, 50, 501, dtype=np.float32)
    value = np.array([of_merge(v) for v in x])
    near = np.abs(x) < 20
    np.testing.assert_allclose(value[near], np.exp(x[near]), rtol=1.5e-4)
    np.testing.assert_allclose(value, np.exp(x), rtol=6e-2)
