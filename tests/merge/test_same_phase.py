"""Samples that lie on the reference's own."""

import numpy as np
import pytest
from conftest import frame_of
from tolerances import MERGE_ABSOLUTE

from burstsr.core.flow import Flow
from burstsr.core.sensor import clipped_samples, samples, site_rows
from burstsr.merge import SamePhaseMean, frame_loops, naive


def still(shape):
    return Flow.zero(shape, 16)


def test_a_tripod_burst_is_averaged(rng):
    frames = [frame_of(0.4 + 0.02 * rng.standard_normal((32, 48))) for _ in range(9)]
    same_phase = SamePhaseMean(frames[0])
    for frame in frames[1:]:
        same_phase.add(frame, still((32, 48)), np.ones((16, 24), np.float32))
    mean, fallen = same_phase.result()
    np.testing.assert_allclose(mean, np.mean([samples(f.mosaic, f.info.levels) for f in frames], axis=0), atol=1e-5)
    np.testing.assert_allclose(fallen, 9, rtol=1e-4)


def test_a_shift_of_the_cfa_period_counts_in_full_and_half_of_it_not_at_all(rng):
    scene = rng.uniform(0, 1, (64, 64))
    reference = frame_of(scene[8:40, 8:40])
    for shift, expected in (((2, -4), 2.0), ((1, 1), 1.0), ((0.9, 0.2), 1.0)):
        same_phase = SamePhaseMean(reference)
        dy, dx = (int(v) for v in shift)
        flow = Flow(np.full((2, 2, 2), shift, np.float32), 16)
        same_phase.add(frame_of(scene[8 - dy : 40 - dy, 8 - dx : 40 - dx]), flow, np.ones((16, 16), np.float32))
        mean, fallen = same_phase.result()
        assert fallen[4:-4, 4:-4].mean() == pytest.approx(expected, abs=0.01)
        np.testing.assert_allclose(mean[8:-8, 8:-8], samples(reference.mosaic, reference.info.levels)[8:-8, 8:-8], atol=1e-3)


def test_zero_robustness_changes_nothing(rng):
    a, b = frame_of(rng.uniform(0, 1, (32, 32))), frame_of(rng.uniform(0, 1, (32, 32)))
    same_phase = SamePhaseMean(a)
    same_phase.add(b, still((32, 32)), np.zeros((16, 16), np.float32))
    mean, fallen = same_phase.result()
    np.testing.assert_allclose(mean, samples(a.mosaic, a.info.levels), atol=1e-6)
    assert (fallen == 1).all()


def test_without_a_filter_array_every_shift_by_whole_pixels_counts_in_full(rng):
    scene = rng.uniform(0, 1, (64, 64))
    reference = frame_of(scene[8:40, 8:40], cfa="mono")
    for shift, expected in (((1, 1), 2.0), ((2, -3), 2.0), ((0.5, 1), 1.0)):
        same_phase = SamePhaseMean(reference)
        dy, dx = (int(v) for v in shift)
        flow = Flow(np.full((2, 2, 2), shift, np.float32), 16)
        same_phase.add(frame_of(scene[8 - dy : 40 - dy, 8 - dx : 40 - dx], cfa="mono"), flow, np.ones((16, 16), np.float32))
        mean, fallen = same_phase.result()
        assert fallen[4:-4, 4:-4].mean() == pytest.approx(expected, abs=0.01)
        if expected == 2:
            np.testing.assert_allclose(mean[8:-8, 8:-8], samples(reference.mosaic, reference.info.levels)[8:-8, 8:-8], atol=1e-3)


@pytest.mark.parametrize("period", [2, 1])
@pytest.mark.parametrize("shape", [(16, 16), (18, 34), (2, 2)])
def test_engines_agree(shape, period, rng):
    frame = frame_of(rng.uniform(0, 1, shape))
    flow = rng.normal(0, 1, (-(-shape[0] // 16), -(-shape[1] // 16), 2)).astype(np.float32)
    robustness = rng.uniform(0, 1, (shape[0] // 2, shape[1] // 2)).astype(np.float32)
    results = []
    for loop, seen in ((naive.same_site_mean, (clipped_samples(frame),)), (frame_loops.same_site_mean, (frame.mosaic, *site_rows(frame.info.levels, 2)))):
        num, den = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        loop(0, shape[0], *seen, flow, 16, robustness, np.float32(1 / 0.15**2), np.float32(period), num, den)
        results.append((num, den))
    np.testing.assert_allclose(results[0], results[1], atol=MERGE_ABSOLUTE)
