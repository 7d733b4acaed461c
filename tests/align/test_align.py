"""Alignment: laws, truth, and the two engines against each other."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import FLOW_ISO_100_PX, FLOW_LOOPS_PX, FLOW_SHIFT_PX, MATCH_COST

from burstsr.align import Aligner, frame_loops, motion_loops, select_reference
from burstsr.align import loops as align_loops
from burstsr.align import naive as align_paper
from burstsr.align.fisher import noise_gain, weighted_median, without_noise
from burstsr.align.global_motion import fit_affine, translation
from burstsr.align.luma import luma
from burstsr.align.regularise import regularise_deviation
from burstsr.core.burst import Burst
from burstsr.core.noise import Noise
from burstsr.core.sensor import samples, site_rows, stabilisation, stabilise
from burstsr.settings import AlignSettings
from burstsr.simulate import SimulateSettings, flow_at, simulate_burst
from burstsr.simulate.motion import FrameMotion

ENGINES = {"naive": align_paper, "loops": align_loops}
SHAPES = [(48, 64), (41, 53), (16, 16), (33, 18)]


def pair(texture, shape, dy, dx):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return texture(y, x).astype(np.float32), texture(y - dy, x - dx).astype(np.float32)


def matched(engine, ref, frame, tile=16, radius=3, penalty=0.0, candidates=None):
    shape = (-(-ref.shape[0] // tile), -(-ref.shape[1] // tile))
    candidates = np.zeros((1, *shape, 2), np.int64) if candidates is None else candidates
    out, cost = np.zeros((*shape, 2), np.int64), np.zeros(shape, np.float32)
    ENGINES[engine].match_blocks(0, shape[0], ref, frame, tile, radius, candidates, np.float32(penalty), out, cost)
    return out, cost


def registered(engine, ref, frame, start=0.0, iterations=6, tile=16):
    shape = (-(-ref.shape[0] // tile), -(-ref.shape[1] // tile))
    module = ENGINES[engine]
    sums, out, cost = np.zeros((*shape, 4), np.float32), np.zeros((*shape, 2), np.float32), np.zeros(shape, np.float32)
    module.tile_hessians(0, shape[0], ref, tile, 4, sums)
    begin = np.full((*shape, 2), start, np.float32)
    module.register_tiles(0, shape[0], ref, frame, tile, 4, sums, iterations, np.float32(4), begin, out, cost)
    return out, cost


GREYS = {"naive": align_paper, "loops": frame_loops}
MOTIONS = {"naive": align_paper, "loops": motion_loops}


@pytest.mark.parametrize("shape", [(2, 2), (8, 6), (40, 54)])
def test_grey_is_the_low_passed_mosaic_in_sigmas_of_noise(rng, engine, shape):
    import cv2

    from burstsr.align.fisher import LOW_PASS

    frame, noise = frame_of(rng.uniform(0, 1, shape)), Noise.of_iso(400)
    filtered = cv2.sepFilter2D(samples(frame.mosaic, frame.info.levels), cv2.CV_32F, LOW_PASS, LOW_PASS, borderType=cv2.BORDER_REFLECT_101)
    expected = stabilise(filtered, noise)
    out = np.zeros(shape, np.float32)
    GREYS[engine].luma_rows(0, shape[0], frame.mosaic, *site_rows(frame.info.levels, shape[1]), *stabilisation(noise), 0, 0, out)
    np.testing.assert_allclose(out, expected, rtol=1e-5)
    np.testing.assert_allclose(luma(frame, noise), expected, rtol=1e-5)
    part = luma(frame, noise, slice(1, shape[0]), slice(shape[1] // 2, shape[1]))
    np.testing.assert_allclose(part, expected[1:, shape[1] // 2 :], rtol=1e-5)


@pytest.mark.parametrize("shape", [(33, 18), (16, 16), (64, 80)])
@pytest.mark.parametrize("margin", [0, 4, 8])
def test_hessians_agree(rng, shape, margin):
    ref = rng.normal(0, 1, shape).astype(np.float32)
    outs = [np.zeros((-(-shape[0] // 16), -(-shape[1] // 16), 4), np.float32) for _ in ENGINES]
    for module, out in zip(ENGINES.values(), outs, strict=True):
        module.tile_hessians(0, len(out), ref, 16, margin, out)
    np.testing.assert_allclose(outs[0], outs[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_whole_pixel_shift_is_found_exactly(engine, texture, shape):
    ref, frame = pair(texture, shape, 2, -3)
    out, cost = matched(engine, ref, frame)
    inner = cost < 1e30
    assert inner.any()
    assert (out[inner] == (2, -3)).all()
    np.testing.assert_allclose(cost[inner], 0, atol=1e-6)


def test_flat_tiles_keep_the_whole_frames_motion(engine):
    flat = np.full((32, 32), 0.5, np.float32)
    candidates = np.zeros((2, 2, 2, 2), np.int64)
    candidates[1] = 2
    out, _ = matched(engine, flat, flat, candidates=candidates, penalty=1e-3)
    assert (out == 0).all()


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.45), (-0.5, 0.5), (1.2, 0.7)])
def test_sub_pixel_shift_is_found(engine, texture, shift):
    ref, frame = pair(texture, (48, 64), *shift)
    out, cost = registered(engine, ref, frame, iterations=12)
    assert np.abs(out[1:-1, 1:-1] - shift).max() < 0.02
    assert np.nanmax(cost) < 1e-3


def test_no_iterations_leave_the_start(engine, texture):
    ref, frame = pair(texture, (32, 32), 0.4, 0.4)
    out, _ = registered(engine, ref, frame, start=0.25, iterations=0)
    assert (out == 0.25).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["texture", "noise", "constant"])
def test_engines_agree(texture, shape, kind, rng):
    ref, frame = pair(texture, shape, 0.6, -0.4)
    if kind == "noise":
        ref, frame = (p + rng.normal(0, 0.1, p.shape).astype(np.float32) for p in (ref, frame))
    if kind == "constant":
        ref, frame = np.full(shape, 0.25, np.float32), np.full(shape, 0.25, np.float32)
    (a, ca), (b, cb) = (matched(e, ref, frame) for e in ("naive", "loops"))
    np.testing.assert_allclose(ca, cb, rtol=MATCH_COST, atol=1e-6)
    assert kind == "constant" or (a == b).mean() > 0.98  # equal costs may fall to either
    (a, ca), (b, cb) = (registered(e, ref, frame, iterations=3) for e in ("naive", "loops"))
    np.testing.assert_allclose(a, b, atol=FLOW_LOOPS_PX)
    np.testing.assert_allclose(ca, cb, rtol=1e-2, atol=1e-6)


def test_a_planted_nan_stays_in_its_tile(texture):
    ref, frame = pair(texture, (64, 64), 0.2, 0.1)
    frame[5, 5] = np.nan
    out, _ = registered("loops", ref, frame)
    assert np.isfinite(out).all()
    assert np.abs(out[2:, 2:] - (0.2, 0.1)).max() < 0.02


@pytest.mark.parametrize("shift", [(0, 0), (5, -9), (-12, 20)])
def test_translation_of_the_whole_frame(rng, shift):
    scene = rng.normal(0, 1, (160, 200)).astype(np.float32)
    ref, frame = scene[30:130, 30:170], scene[30 - shift[0] : 130 - shift[0], 30 - shift[1] : 170 - shift[1]]
    assert translation(ref, frame) == shift


def test_affine_fit_ignores_movers(rng):
    position = rng.uniform(-1, 1, (200, 2))
    truth = np.array([[1.0, -2.0], [0.3, 0.1], [-0.1, 0.2]])
    flow = np.column_stack([np.ones(200), position]) @ truth + rng.normal(0, 0.01, (200, 2))
    flow[:60] += (4, -3)
    found, deviation = fit_affine(position, flow, np.tile(np.eye(2), (200, 1, 1)))
    np.testing.assert_allclose(found, truth, atol=0.02)
    assert deviation[:60].min() > 10 > deviation[60:].max()


def test_noise_gain_is_what_noise_does(rng):
    import cv2

    from burstsr.align.fisher import LOW_PASS

    white = rng.normal(0, 1, (1024, 1024)).astype(np.float32)
    level = cv2.sepFilter2D(white, cv2.CV_32F, LOW_PASS, LOW_PASS)
    for i in range(3):
        variance, gradient = noise_gain(i)
        gy, _ = align_paper.gradients(level)
        assert level.var() == pytest.approx(variance, rel=0.05)
        assert gy.var() == pytest.approx(gradient, rel=0.05)
        level = cv2.pyrDown(level)


def test_noise_alone_has_no_information(rng):
    import cv2

    from burstsr.align.fisher import LOW_PASS

    white = rng.normal(0, 1, (512, 512)).astype(np.float32)
    sums = np.zeros((32, 32, 4), np.float32)
    align_loops.tile_hessians(0, 32, cv2.sepFilter2D(white, cv2.CV_32F, LOW_PASS, LOW_PASS), 16, 8, sums)
    _, information = without_noise(sums, 0)
    assert np.trace(information, axis1=2, axis2=3).max() < 20  # 0.2 px deviation at best
    assert (np.trace(information, axis1=2, axis2=3) == 0).mean() > 0.9


def test_weighted_median():
    assert weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0])) == 9.0
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.ones(3)) == 2.0
    assert weighted_median(np.zeros(3), np.zeros(3)) == 0.0


def test_structure_and_information_share_the_sums_axes(rng):
    """Structure and information have the eigenvectors of the sums."""
    gradients = rng.normal(0, 40, (5, 6, 50, 2)) * rng.uniform(0.1, 1, (5, 6, 1, 2))
    full = np.einsum("yxna,yxnb->yxab", gradients, gradients)
    sums = np.stack([full[..., 0, 0], full[..., 0, 1], full[..., 1, 1], np.full((5, 6), 50.0)], -1).astype(np.float32)
    structure, information = without_noise(sums, 0)
    from_noise = 50 * noise_gain(0)[1]
    np.testing.assert_allclose(structure, full - from_noise * np.eye(2), rtol=1e-5, atol=1e-2)
    for a, b in ((structure, information), (structure, full)):
        np.testing.assert_allclose(a @ b, b @ a, rtol=1e-5, atol=1e-3 * np.abs(a).max() * np.abs(b).max())


@pytest.mark.parametrize("kind", ["spread", "ties", "zeros", "sorted"])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_weighted_medians_agree(rng, kind, count):
    values = {"spread": rng.normal(0, 1, count), "ties": rng.integers(0, 4, count) * 1.0, "zeros": np.zeros(count), "sorted": np.arange(count) * 1.0}[kind]
    for weights in (np.ones(count), rng.integers(0, 3, count) * 1.0, np.zeros(count), np.eye(1, count, count // 2)[0]):
        assert motion_loops.weighted_median(values, weights) == align_paper.weighted_median(values, weights)


def test_affine_engines_agree(rng):
    position, flow = rng.uniform(-1, 1, (50, 2)), rng.normal(0, 2, (50, 2))
    factor = rng.normal(0, 1, (50, 2, 2))
    information, weight = factor @ factor.transpose(0, 2, 1), rng.uniform(0, 1, 50)
    results = []
    for module in MOTIONS.values():
        normal, right, misfit = np.zeros((3, 2, 3, 2)), np.zeros((3, 2)), np.zeros(50)
        module.affine_sums(0, 50, position, flow, information, weight, normal, right)
        module.affine_misfits(0, 50, position, flow, information, right, misfit)
        results.append((normal, right, misfit))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sweeps", [0, 1, 4, 7])
def test_relaxations_agree(rng, sweeps):
    base, pull = rng.normal(0, 1, (2, 5, 7)).astype(np.float32), rng.uniform(-0.1, 0.2, (3, 5, 7)).astype(np.float32)
    fields = [np.zeros((2, 7, 9), np.float32) for _ in MOTIONS]
    for module, field in zip(MOTIONS.values(), fields, strict=True):
        module.relax(base, pull, sweeps, field)
    np.testing.assert_allclose(fields[0], fields[1], rtol=1e-4, atol=1e-5)
    assert (fields[1][:, [0, -1]] == 0).all()


def test_a_flow_does_not_depend_on_the_frames_before(texture):
    noise = Noise.of_iso(100)
    frames = [textured_frame(texture, (96, 128), 0.4 * k, -0.7 * k) for k in range(3)]
    aligner = Aligner(frames[0], noise, AlignSettings())
    flows = [aligner.estimate_flow(frames[k]).tiles for k in (1, 2, 1)]
    np.testing.assert_array_equal(flows[0], flows[2])
    np.testing.assert_array_equal(flows[1], Aligner(frames[0], noise, AlignSettings()).estimate_flow(frames[2]).tiles)


def test_tiles_without_information_follow_their_neighbours(rng):
    residual = np.zeros((9, 9, 2))
    residual += np.linspace(-1, 1, 9)[:, None, None]
    information = np.tile(400.0 * np.eye(2), (9, 9, 1, 1))
    residual[4, 4], information[4, 4] = (50.0, 50.0), 0.0
    field = regularise_deviation(residual, information, 1.0)
    assert np.abs(field[4, 4]).max() < 0.2
    assert np.array_equal(regularise_deviation(residual, information, 0.0), residual)


def textured_frame(texture, shape, dy=0.0, dx=0.0, noise=None):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return frame_of(texture((y - dy) * 0.7, (x - dx) * 0.7), noise=noise)


@pytest.mark.parametrize("shape", [(64, 64), (128, 96), (100, 230)])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.35, -0.6), (-4.4, 5.1)])
def test_flow_of_a_shift(texture, shape, shift):
    noise = Noise.of_iso(100)
    flow = Aligner(textured_frame(texture, shape), noise, AlignSettings()).estimate_flow(textured_frame(texture, shape, *shift))
    assert np.abs(flow.tiles - shift).max() < FLOW_SHIFT_PX


def test_flow_follows_shift_and_rotation_of_a_simulated_frame(data):
    import imageio.v3 as iio

    image = iio.imread(data / "testsets/Kodak24/19.png")
    motions = (FrameMotion(0, 0, 0), FrameMotion(3.3, -20.7, np.deg2rad(0.3)))
    made = simulate_burst(image, SimulateSettings(frames=2, iso=100, motion=motions), np.random.default_rng(1))
    reference, frame = made.burst.frames
    assert reference.info.noise is not None
    flow = Aligner(reference, reference.info.noise, AlignSettings()).estimate_flow(frame)
    y, x = np.mgrid[24 : reference.info.shape[0] - 24, 24 : reference.info.shape[1] - 24].astype(float)
    error = np.linalg.norm(flow.at(y, x) - flow_at(made.motions[1], np.stack([y, x], -1), reference.info.shape), axis=-1)
    assert np.median(error) < FLOW_ISO_100_PX


def test_a_frame_of_something_else_does_not_raise(texture, rng):
    noise = Noise.of_iso(100)
    aligner = Aligner(textured_frame(texture, (96, 96)), noise, AlignSettings())
    assert np.isfinite(aligner.estimate_flow(frame_of(rng.uniform(0, 1, (96, 96)))).tiles).all()
    assert np.isfinite(aligner.estimate_flow(frame_of(np.full((96, 96), 0.3))).tiles).all()


def test_sharpest_frame_is_chosen(texture):
    import cv2

    y, x = np.mgrid[:96, :96]
    sharp = texture(y, x)
    frames = [frame_of(cv2.GaussianBlur(sharp, (0, 0), s)) for s in (2.0, 1.5, 0.3, 1.5)]
    assert select_reference(Burst("b", tuple(frames)), Noise.of_iso(100)) == 2


@pytest.mark.parametrize("bright", [0.9, 0.0])
def test_a_bright_or_dark_outlier_is_not_taken_for_sharpness(texture, bright):
    """A satellite's trail, a bird: sharp edges in a part of one frame, which is not the sharpest."""
    y, x = np.mgrid[:256, :320]
    frames = [frame_of(0.5 * texture(y * k, x * k)) for k in (0.5, 0.5, 0.6, 0.5, 0.5)]
    spoilt = 0.5 * texture(y * 0.5, x * 0.5)
    spoilt[np.abs(y - 0.7 * x - 20) < 3] = bright
    frames[1] = frame_of(spoilt)
    assert select_reference(Burst("b", tuple(frames)), Noise.of_iso(100)) == 2
