import numpy as np
import pytest

from burstsr.core.flow import Flow


def test_zero_flow_is_zero():
    assert (Flow.zero((70, 90), 16).at([0.0, 69.0], [0.0, 89.0]) == 0).all()


def test_linear_flow_is_exact_everywhere_and_beyond():
    y, x = np.meshgrid((np.arange(5) + 0.5) * 16 - 0.5, (np.arange(7) + 0.5) * 16 - 0.5, indexing="ij")
    flow = Flow(np.stack([0.01 * y - 0.02 * x + 3, 0.005 * x - 1], -1).astype(np.float32), 16)
    points_y, points_x = np.meshgrid(np.linspace(-5, 84, 9), np.linspace(-5, 116, 9), indexing="ij")
    expected = np.stack([0.01 * points_y - 0.02 * points_x + 3, 0.005 * points_x - 1], -1)
    np.testing.assert_allclose(flow.at(points_y, points_x), expected, atol=1e-5)


def test_inverse_undoes_the_flow(rng):
    angle = np.deg2rad(0.5)
    y, x = np.meshgrid((np.arange(6) + 0.5) * 16 - 0.5, (np.arange(6) + 0.5) * 16 - 0.5, indexing="ij")
    rotation = np.stack([np.cos(angle) * y + np.sin(angle) * x - y + 4.3, np.cos(angle) * x - np.sin(angle) * y - x - 7.1], -1)
    flow = Flow(rotation.astype(np.float32), 16)
    p = rng.uniform(10, 80, (2, 50))
    q = p + flow.at(*p).T
    np.testing.assert_allclose(q + flow.inverse().at(*q).T, p, atol=1e-3)


def test_one_tile():
    flow = Flow(np.full((1, 1, 2), (1.5, -2.0), np.float32), 16)
    assert flow.at(3.0, 100.0) == pytest.approx([1.5, -2.0])


@pytest.mark.parametrize("tiles", [(5, 7), (1, 4), (1, 1)])
def test_many_positions_give_what_few_do(tiles, rng):
    flow = Flow(rng.normal(0, 3, (*tiles, 2)).astype(np.float32), 8)
    y, x = rng.uniform(-40, 90, (2, 80, 60))
    few = np.stack([flow.at(y[i], x[i]) for i in range(80)])
    np.testing.assert_allclose(flow.at(y, x), few, rtol=1e-12, atol=1e-12)


def test_positions_in_the_frame_are_those_of_the_reference_plus_flow():
    flow = Flow(np.random.default_rng(0).normal(0, 2, (3, 4, 2)).astype(np.float32), 16)
    y, x = flow.positions((20, 30), (2, 2), (0.5, 1.0))
    at = np.meshgrid(0.5 + 2 * np.arange(20), 1.0 + 2 * np.arange(30), indexing="ij")
    np.testing.assert_allclose(np.stack([y, x], axis=-1), np.stack(at, axis=-1) + flow.at(*at), rtol=1e-6, atol=1e-5)
