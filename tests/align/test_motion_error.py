"""What is not known of motion is not promised: issue 15, fault 17."""

import cv2
import numpy as np
import pytest
from conftest import burst_of

from burstsr import super_resolve
from burstsr.align import Aligner, certain, coverage, subpixel_phases
from burstsr.core.checks import check_flows
from burstsr.core.errors import SettingsError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.settings import AlignSettings, Settings
from burstsr.simulate import SimulateSettings, simulate_burst
from calibration.coverage import measure_coverage

NOISE = Noise(np.full(3, 2e-4), np.full(3, 1e-6))


def static(scene, rng, frames=5, noise=NOISE):
    """Frames that do not move, each with its own noise."""
    return burst_of([scene + np.sqrt(noise.variance(scene, 1)) * rng.standard_normal(scene.shape) for _ in range(frames)], noise=noise)


def defocused(rng, side=256):
    """Light that falls smoothly over the frame."""
    grey = cv2.GaussianBlur(rng.uniform(0, 1, (side, side)).astype(np.float32), (0, 0), 40)
    return np.asarray(0.1 + 0.004 * (grey - grey.mean()) / grey.std(), np.float64)


def squares(rng):
    return np.clip(rng.uniform(0.1, 0.9, (24, 30, 1)).repeat(12, 0).repeat(12, 1) * [1.0, 0.9, 0.8], 0, 1)


def test_static_defocused_frames_promise_no_gain(rng):
    """Up to 11 px of motion were made of noise, and then: coverage 0.9, expected gain 4.9 dB."""
    found = measure_coverage(static(defocused(rng), rng))
    assert found.expected_gain_db == pytest.approx(0) and found.coverage == pytest.approx(1 / 5) and found.sampling_uniformity == pytest.approx(0)
    assert found.motion_unknown == 4 and "4 of 5 frames is uncertain" in found.advice and "tripod" not in found.advice
    assert found.to_dict()["motion_unknown"] == 4


def test_results_of_defocused_frames_claim_no_gain(rng):
    report = super_resolve(static(defocused(rng, 128), rng), Settings(reference=0, measure_noise=False)).report.to_dict()
    assert report["expected_gain_db"] == 0 and report["subpixel_phases"] == 1
    assert "uncertain" in report["advice"] and "tripod" not in report["advice"]
    assert report["frames"][0]["motion_error_px"] == 0
    assert all(facts["motion_error_px"] is None or facts["motion_error_px"] > 0.25 for facts in report["frames"][1:])


@pytest.mark.parametrize("iso", [100, 3200])
def test_standard_errors_of_textured_frames_hold(rng, iso):
    """Small enough to count, and no smaller than what is really missed."""
    made = simulate_burst(squares(rng), SimulateSettings(frames=5, iso=iso), rng)
    aligner = Aligner(made.burst.frames[0], made.noise, AlignSettings())
    for frame, motion in zip(made.burst.frames[1:], made.motions[1:], strict=True):
        flow = aligner.estimate_flow(frame)
        missed = np.hypot(*(np.median(flow.tiles, axis=(0, 1)) - (motion.dy_px, motion.dx_px)))
        assert flow.error_px < 0.03
        assert missed < 4 * flow.error_px + 0.03  # rotation, the lens and alias


def test_textured_frames_get_an_expected_gain(rng):
    found = measure_coverage(simulate_burst(squares(rng), SimulateSettings(frames=6, iso=400), rng).burst)
    assert found.motion_unknown == 0 and found.expected_gain_db > 1 and found.advice == ""


def test_an_edge_tells_motion_along_one_axis_only(rng):
    edge = np.full((128, 128), 0.2)
    edge[:, 64:] = 0.6
    burst = static(edge, rng, 2)
    assert Aligner(burst.frames[0], NOISE, AlignSettings()).estimate_flow(burst.frames[1]).error_px > 0.25


def test_uncertain_phases_are_not_counted():
    sure, unsure = (Flow(np.full((2, 2, 2), shift, np.float32), 16, error) for shift, error in ((0.5, 0.2), (1.0, 0.3)))
    flows = [Flow.zero((32, 32), 16), sure, unsure]
    assert certain(flows) == flows[:2]
    assert subpixel_phases(flows, 2.0) == 3 and coverage(flows, 2.0) == pytest.approx(2 / 3)
    assert sure.inverse().error_px == 0.2


@pytest.mark.parametrize("error", [-1.0, float("nan")])
def test_standard_errors_that_are_none_are_refused(error):
    burst = burst_of([np.full((32, 32), 0.3)])
    with pytest.raises(SettingsError, match="error_px"):
        check_flows([Flow(np.zeros((2, 2, 2), np.float32), 16, error)], burst)
