"""The merge of X-Trans and quad Bayer frames: the loops against the paper's, which look up each sample's channel, and against those of Bayer frames."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import MERGE_ABSOLUTE

from burstsr.core.cfa import Cfa
from burstsr.core.flow import Flow
from burstsr.core.sensor import clipped_samples, samples
from burstsr.merge import KernelMerge, SamePhaseMean, naive

SHAPE, SCALE, WEIGHT = (34, 50), 2.0, 0.05
CELLS, SIZE = (17, 25), (68, 100, 3)
PATTERNS = ["X-Trans", "quad GRBG"]


def case(cfa, rng, count=3):
    """Frames of noise, flows, robustness, kernels, and an image to start from."""
    frames = [frame_of(rng.uniform(0, 1, SHAPE), cfa=cfa, name=f"{i}.dng") for i in range(count)]
    flows = [Flow(rng.normal(0, 1.5, (3, 4, 2)).astype(np.float32), 16) for _ in frames]
    kernel = np.zeros((*CELLS, 3), np.float32)
    kernel[..., 0], kernel[..., 1], kernel[..., 2] = rng.uniform(1, 5, CELLS), 0.5, rng.uniform(1, 5, CELLS)
    return frames, flows, [rng.uniform(0, 1, CELLS).astype(np.float32) for _ in frames], kernel, rng.uniform(0, 1, SIZE).astype(np.float32)


def merged(frames, flows, robustness_maps, kernel, image, of_residuals):
    start = {"explained": image} if of_residuals else {"fallback": image.copy()}
    merge = KernelMerge(SCALE, kernel, WEIGHT, **start)
    for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
        merge.add(frame, flow, robustness)
    return merge.result()


def by_paper(frames, flows, robustness_maps, kernel, image, of_residuals):
    """(H', W', 3) image and weight."""
    num, den = np.zeros((SIZE[0], 3, SIZE[1])), np.zeros((SIZE[0], 3, SIZE[1]))
    for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
        mosaic, cfa = clipped_samples(frame).astype(np.float64), np.array(frame.info.cfa, np.int64)
        if of_residuals:
            left = np.empty_like(mosaic)
            naive.residuals(0, len(mosaic), mosaic, cfa, image.astype(np.float64), SCALE, flow.inverse().tiles, flow.tile_px, left)
            mosaic = left
        mosaic = np.pad(mosaic, naive.BORDER, mode="reflect")
        naive.accumulate(0, SIZE[0], mosaic, cfa, SCALE, flow.tiles, flow.tile_px, kernel.astype(np.float64), robustness.astype(np.float64), num, den)
    num, den = np.moveaxis(num, 1, 2), np.moveaxis(den, 1, 2)
    return (num + WEIGHT * (0.0 if of_residuals else image)) / (den + WEIGHT), den


@pytest.mark.parametrize("of_residuals", [False, True])
@pytest.mark.parametrize("cfa", PATTERNS)
def test_engines_agree(cfa, of_residuals, rng):
    given = case(cfa, rng)
    (image, weight), (expected, samples_seen) = merged(*given, of_residuals), by_paper(*given, of_residuals)
    np.testing.assert_allclose(image, expected, atol=MERGE_ABSOLUTE)
    np.testing.assert_allclose(weight, samples_seen, atol=0.01)


@pytest.mark.parametrize("of_residuals", [False, True])
def test_a_bayer_pattern_gives_what_the_loops_of_bayer_frames_give(of_residuals, rng, monkeypatch):
    given = case("GBRG", rng)
    bayer = merged(*given, of_residuals)
    monkeypatch.setattr(Cfa, "has_bayer_cells", property(lambda cfa: False))
    for found, expected in zip(merged(*given, of_residuals), bayer, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("cfa", PATTERNS)
def test_constant_in_constant_out(cfa, scale):
    colour = (0.2, 0.5, 0.8)
    frame = frame_of(np.broadcast_to(colour, (36, 48, 3)), cfa=cfa)
    kernel = np.full((18, 24, 3), (4.0, 0.0, 4.0), np.float32)
    merge = KernelMerge(scale, kernel, 1e-9, fallback=np.zeros((round(36 * scale), round(48 * scale), 3), np.float32))
    merge.add(frame, Flow.zero((36, 48), 16), np.ones((18, 24), np.float32))
    image, weight = merge.result()
    inner = slice(4, -4), slice(4, -4)  # at the borders some 3 x 3 samples lack a colour, which the fallback has
    np.testing.assert_allclose(image[inner], np.broadcast_to(colour, image.shape)[inner], atol=3e-4)
    assert (weight[inner] > 0).all()


@pytest.mark.parametrize(("cfa", "period"), [("X-Trans", 6), ("quad RGGB", 4)])
def test_a_shift_of_the_period_counts_in_full_at_one_phase(cfa, period, rng):
    scene = rng.uniform(0, 1, (72, 72))
    reference = frame_of(scene[12:48, 12:48], cfa=cfa)
    for shift, expected in (((period, -period), 2.0), ((2, 2), 1.0), ((0, period + 0.9), 1.0)):
        same_phase = SamePhaseMean(reference)
        dy, dx = (int(v) for v in shift)
        flow = Flow(np.full((3, 3, 2), shift, np.float32), 16)
        same_phase.add(frame_of(scene[12 - dy : 48 - dy, 12 - dx : 48 - dx], cfa=cfa), flow, np.ones((18, 18), np.float32))
        mean, fallen = same_phase.result()
        assert fallen[6:-6, 6:-6].mean() == pytest.approx(expected, abs=0.01)
        np.testing.assert_allclose(mean[12:-12, 12:-12], samples(reference.mosaic, reference.info.levels)[12:-12, 12:-12], atol=1e-3)
