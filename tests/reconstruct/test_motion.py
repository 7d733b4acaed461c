"""Motion refined against the reconstruction."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from burstsr.core.flow import Flow
from burstsr.reconstruct.flow_refinement import refined
from burstsr.simulate import SimulateSettings, flow_at, simulate_burst

NOTHING = np.zeros((0, 2), np.int64)


@pytest.fixture(scope="module")
def made():
    rough = cv2.GaussianBlur(np.random.default_rng(3).standard_normal((192, 192)).astype(np.float32), (0, 0), 1.2)
    texture = np.clip(0.5 + 0.5 * rough / np.abs(rough).max(), 0.05, 0.9)[..., None] * np.ones(3, np.float32)
    return simulate_burst(texture, SimulateSettings(frames=2, iso=50, deviation_px=1.0, blur_sigma_px=0.0), np.random.default_rng(0))


def true_flow(made, index):
    frame = made.burst.frames[index]
    zero = Flow.zero(frame.info.shape, 16)
    centres = np.stack(np.meshgrid(*(np.arange(n) * 16 + 7.5 for n in zero.tiles.shape[:2]), indexing="ij"), axis=-1)
    return Flow(flow_at(made.motions[index], centres, frame.info.shape).astype(np.float32), 16)


def error(flow, true):
    return float(np.abs(flow.tiles - true.tiles)[1:-1, 1:-1].max())


def test_a_wrong_flow_is_drawn_to_the_true_one(made):
    true = true_flow(made, 1)
    wrong = Flow(true.tiles + np.float32([0.05, -0.04]), 16)
    found, moved = refined(made.burst.frames[1], wrong, made.truth, made.burst.info.noise, 2.0, NOTHING)
    assert moved > 0.5 and error(found, true) < 0.01


def test_the_true_flow_stays(made):
    true = true_flow(made, 1)
    found, _ = refined(made.burst.frames[1], true, made.truth, made.burst.info.noise, 2.0, NOTHING)
    assert error(found, true) < 0.01


def test_without_structure_nothing_moves(made):
    frame = made.burst.frames[1]
    flat = replace(frame, mosaic=np.full_like(frame.mosaic, 3000))
    start = Flow.zero(frame.info.shape, 16)
    found, moved = refined(flat, start, np.full_like(made.truth, 0.2), made.burst.info.noise, 2.0, NOTHING)
    assert moved == 0 and np.array_equal(found.tiles, start.tiles)


def test_defects_do_not_pull(made):
    true = true_flow(made, 1)
    frame = made.burst.frames[1]
    bad = np.array([[20, 21], [33, 40], [50, 50]])
    mosaic = frame.mosaic.copy()
    mosaic[tuple(bad.T)] = 65535
    one, _ = refined(replace(frame, mosaic=mosaic), true, made.truth, made.burst.info.noise, 2.0, bad)
    other, _ = refined(frame, true, made.truth, made.burst.info.noise, 2.0, bad)
    assert np.array_equal(one.tiles, other.tiles)
