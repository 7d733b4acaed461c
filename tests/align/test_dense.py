"""The dense refinement of motion: laws, truth, and the two engines against each other."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import DENSE_RELATIVE

from burstsr.align import Aligner, dense_loops, field_loops, naive_dense
from burstsr.align.dense_refinement import CELL_PX
from burstsr.core.coords import tile_centre, tile_count
from burstsr.core.noise import Noise
from burstsr.settings import AlignSettings

SHAPES = [(32, 40), (27, 37), (6, 7), (8, 21)]  # random, ragged, one cell, one row of cells
NOISE = Noise.of_iso(100)
SHAPE = (160, 192)


def grid(shape, cell=8):
    return tile_count(shape[0], cell), tile_count(shape[1], cell)


def both(name, outs, *arguments):
    """Outputs of the two engines, called in two pieces of rows."""
    results = []
    for module in (naive_dense, field_loops if name == "cell_equations" else dense_loops):
        made = [np.full(shape, 7, np.float32) for shape in outs]
        rows, half = outs[0][0], outs[0][0] // 2
        for first, last in ((0, half), (half, rows)):
            getattr(module, name)(first, last, *arguments, *made)
        results.append(made)
    return zip(*results, strict=True)


def agree(a, b):
    np.testing.assert_allclose(a, b, rtol=DENSE_RELATIVE, atol=DENSE_RELATIVE * max(np.abs(a).max(), 1e-3))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mean", "spread"), [((0.3, -0.6), 0.01), ((0.3, -0.6), 1.0), ((5.2, -4.7), 0.01), ((-7.3, 6.1), 2.0), ((50, 50), 0.01)])
def test_residual_sums_agree(shape, mean, spread, rng):
    """Even fields, uneven ones, and motion that takes pixels out of the frame."""
    ref = rng.uniform(0, 30, shape).astype(np.float32)
    frame = (ref + rng.normal(0, 3, shape)).astype(np.float32)
    field = (mean + rng.normal(0, spread, (*grid(shape), 2))).astype(np.float32)
    active = (rng.uniform(size=grid(shape)) < 0.8).astype(np.uint8)
    ((a, b),) = both("residual_sums", [(*grid(shape), 8)], ref, frame, np.float32(1.1), 8, field, np.float32(4), np.float32(0.2), active)
    agree(a, b)
    np.testing.assert_array_equal(a[..., 7], b[..., 7])


@pytest.mark.parametrize("shape", [*SHAPES, (2, 2), (1, 9)])
def test_detail_sums_agree(shape, rng):
    ((a, b),) = both("detail_sums", [(*grid(shape), 3)], rng.uniform(0, 30, shape).astype(np.float32), 8)
    agree(a, b)


@pytest.mark.parametrize("shape", [(5, 6), (1, 1), (1, 4)])
def test_cell_equations_agree(shape, rng):
    slopes = rng.normal(0, 1, (*shape, 60, 2)) * rng.choice([0.1, 1, 10], (*shape, 1, 2))
    e = rng.normal(0, 0.5, (*shape, 60))
    yy, yx, xx = (np.einsum("yxn,yxn->yx", slopes[..., i], slopes[..., j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    ye, xe = (np.einsum("yxn,yxn->yx", slopes[..., i], e) for i in (0, 1))
    sums = np.stack([yy, yx, xx, ye, xe, np.full(shape, 50.0), np.ones(shape), np.full(shape, 60.0)], -1).astype(np.float32)
    sums[0, 0, 7] = 0 if shape[0] > 1 else 60  # a cell that the frame does not show
    sums[-1, -1, 3] = np.nan if shape[0] > 1 else 1  # a sample that is no number
    field, centre = rng.normal(0, 1, (2, *shape, 2)).astype(np.float32)
    alias = rng.uniform(0.05, 0.5, shape).astype(np.float32)
    constants = (alias, np.float32(0.05), np.float32(0.5), np.float32(3))
    for a, b in both("cell_equations", [(*shape, 3), (*shape, 2)], sums, field, centre, *constants):
        agree(a, b)


def system_of(shape, rng):
    root = rng.normal(0, 3, (*shape, 2, 2)) * rng.choice([0, 1], (*shape, 1, 1))
    information = root @ np.swapaxes(root, -1, -2)
    data = np.stack([information[..., 0, 0], information[..., 0, 1], information[..., 1, 1]], -1).astype(np.float32)
    target = np.einsum("yxab,yxb->yxa", information, rng.normal(0, 1, (*shape, 2))).astype(np.float32)
    return data, target, rng.normal(0, 0.5, (*shape, 2)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 6), (1, 1), (1, 4), (4, 1)])
@pytest.mark.parametrize("sweeps", [0, 1, 5])
def test_sweeps_agree(shape, sweeps, rng):
    data, target, before = system_of(shape, rng)
    a, b = before.copy(), before.copy()
    for module, out in zip((naive_dense, field_loops), (a, b), strict=True):
        module.smooth(sweeps, data, target, 1.0, 0.3, out)
    agree(a, b)


def test_sweeps_end_at_the_minimum(rng):
    data, target, before = system_of((5, 6), rng)
    out = before.copy()
    field_loops.smooth(200, data, target, 1.0, 0.3, out)
    agree(np.linalg.solve(*naive_dense.smoothing_system(data, target, 1.0, 0.3, before)).reshape(out.shape), out)


def moved(texture, motion, gain=1.0, shape=SHAPE):
    """(H, W) what a frame shows whose motion at the reference's p is motion(p): fixed-point iteration finds p."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    p, q = y, x
    for _ in range(30):
        dy, dx = motion(p, q)
        p, q = y - dy, x - dx
    return 0.4 * gain * texture(p, q)


def still(y, x):
    return np.zeros_like(y), np.zeros_like(x)


def wavy(y, x):
    return np.sin(2 * np.pi * x / 40), np.sin(2 * np.pi * y / 40)


def wobble(y, x):
    return 0.3 * np.cos(2 * np.pi * y / 33) + 0.4, 1.2 * np.sin(2 * np.pi * y / 45)


def found(texture, motion, gain=1.0, rng=None, **settings):
    """Estimated flow at the centres of cells, and the truth."""
    pair = [moved(texture, still), moved(texture, motion, gain)]
    if rng is not None:
        pair = [image + np.sqrt(NOISE.variance(image, 1)) * rng.standard_normal(image.shape) for image in pair]
    reference, frame = (frame_of(image, noise=NOISE) for image in pair)
    flow = Aligner(reference, NOISE, AlignSettings(**settings)).estimate_flow(frame)
    y, x = np.meshgrid(*(tile_centre(np.arange(n), CELL_PX) for n in grid(SHAPE)), indexing="ij")
    return flow.at(y, x), np.stack(motion(y, x), -1)


def rms(pair):
    inner = (pair[0] - pair[1])[1:-1, 1:-1]  # outermost cells are shown in part
    return float(np.sqrt((inner**2).mean()))


@pytest.mark.parametrize("noisy", [False, True])
def test_smooth_motion_finer_than_tiles_is_found(noisy, texture, rng):
    assert rms(found(texture, wavy, rng=rng if noisy else None)) < 0.15
    assert rms(found(texture, wavy, rng=rng if noisy else None, refine=False)) > 0.25


def test_a_wobble_along_rows_is_found(texture, rng):
    assert rms(found(texture, wobble, rng=rng)) < 0.1
    assert rms(found(texture, wobble, rng=rng, refine=False)) > 0.2


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -2.21)])
def test_a_shift_is_not_refined(shift, texture):
    def motion(y, x):
        return np.full_like(y, shift[0]), np.full_like(x, shift[1])

    refined, true = found(texture, motion)
    np.testing.assert_allclose(refined, found(texture, motion, refine=False)[0], atol=0.02)
    assert rms((refined, true)) < 0.02


def test_equal_frames_do_not_move(texture):
    assert np.abs(found(texture, still)[0]).max() < 1e-4


@pytest.mark.parametrize("gain", [0.95, 1.05])
def test_brightness_that_differs_is_no_motion(gain, texture):
    assert np.abs(found(texture, still, gain)[0]).max() < 0.02


def test_without_refinement_the_field_is_that_of_tiles(texture):
    reference, frame = (frame_of(moved(texture, motion), noise=NOISE) for motion in (still, wavy))
    off, on = (Aligner(reference, NOISE, AlignSettings(refine=refine)).estimate_flow(frame) for refine in (False, True))
    assert (off.tile_px, off.tiles.shape) == (16, (10, 12, 2))
    assert (on.tile_px, on.tiles.shape) == (CELL_PX, (20, 24, 2))
    assert off.error_px == on.error_px
