"""The merge of monochrome frames against the paper's loops, to which all samples are of one channel."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import frame_of
from tolerances import MERGE_ABSOLUTE

from burstsr.core.flow import Flow
from burstsr.core.sensor import clipped_samples
from burstsr.merge import MonoMerge, naive

SHAPE, SCALE, WEIGHT = (32, 48), 2.0, 0.05
SIZE = (64, 96, 3)


def by_paper(frames, flows, robustness_maps, kernel, fallback, explained=None):
    """(H', W') image and weight."""
    num, den = np.zeros((SIZE[0], 3, SIZE[1])), np.zeros((SIZE[0], 3, SIZE[1]))
    for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
        mosaic, one = clipped_samples(frame).astype(np.float64), np.zeros((2, 2), np.int64)
        if explained is not None:
            left = np.empty_like(mosaic)
            naive.residuals(0, len(mosaic), mosaic, one, explained, SCALE, flow.inverse().tiles, flow.tile_px, left)
            mosaic = left
        mosaic = np.pad(mosaic, naive.BORDER, mode="reflect")
        naive.accumulate(0, SIZE[0], mosaic, one, SCALE, flow.tiles, flow.tile_px, kernel.astype(np.float64), robustness.astype(np.float64), num, den)
    return (num[:, 0] + WEIGHT * fallback) / (den[:, 0] + WEIGHT), den[:, 0]


@pytest.mark.parametrize("of_residuals", [False, True])
def test_every_sample_counts_in_the_one_channel(of_residuals, rng):
    frames = [frame_of(rng.uniform(0, 1, SHAPE), cfa="mono", name=f"{i}.dng") for i in range(3)]
    flows = [Flow(rng.normal(0, 1, (2, 3, 2)).astype(np.float32), 16) for _ in frames]
    robustness_maps = [rng.uniform(0, 1, (16, 24)).astype(np.float32) for _ in frames]
    kernel = np.zeros((16, 24, 3), np.float32)
    kernel[..., 0], kernel[..., 1], kernel[..., 2] = rng.uniform(1, 5, (16, 24)), 0.5, rng.uniform(1, 5, (16, 24))
    grey = np.repeat(rng.uniform(0, 1, (*SIZE[:2], 1)).astype(np.float32), 3, axis=2)
    merge = MonoMerge(SCALE, kernel, WEIGHT, explained=grey) if of_residuals else MonoMerge(SCALE, kernel, WEIGHT, fallback=grey)
    for frame, flow, robustness in zip(frames, flows, robustness_maps, strict=True):
        merge.add(frame, flow, robustness)
    image, weight = merge.result()
    expected, samples = by_paper(
        frames, flows, robustness_maps, kernel, 0.0 if of_residuals else grey[..., 0], grey.astype(np.float64) if of_residuals else None
    )
    assert image.shape == weight.shape == SIZE and np.ptp(image, axis=2).max() == np.ptp(weight, axis=2).max() == 0
    np.testing.assert_allclose(image[..., 0], expected, atol=MERGE_ABSOLUTE)
    np.testing.assert_allclose(weight[..., 0], samples, atol=0.01)


def test_a_constant_stays_and_each_frame_counts_from_its_own_black():
    frames = [frame_of(np.full(SHAPE, 0.3), cfa="mono"), frame_of(np.full(SHAPE, 0.3), cfa="mono", black=1050.0)]
    merge = MonoMerge(SCALE, np.full((16, 24, 3), (4.0, 0.0, 4.0), np.float32), 1e-6, fallback=np.zeros(SIZE, np.float32))
    for frame in frames:
        merge.add(replace(frame), Flow.zero(SHAPE, 16), np.ones((16, 24), np.float32))
    image, _ = merge.result()
    np.testing.assert_allclose(image, 0.3, atol=1e-4)
