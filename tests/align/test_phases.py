import numpy as np
import pytest

from burstsr.align import coverage, rigid_motion, subpixel_phases
from burstsr.core.flow import Flow


def shifted(dy, dx):
    return Flow(np.full((4, 5, 2), (dy, dx), np.float32), 16)


def test_a_tripod_has_one_phase():
    flows = [shifted(0, 0), shifted(0.01, -0.02), shifted(2.0, -4.01)]  # whole CFA periods are no phase
    assert subpixel_phases(flows, 2.0) == 1
    assert coverage(flows, 2.0) == pytest.approx(1 / 3)


def test_every_cell_counts_once():
    flows = [shifted(dy / 2, dx / 2) for dy in range(4) for dx in range(4)]
    assert subpixel_phases(flows, 2.0) == 16
    assert coverage(flows, 2.0) == 1.0
    assert coverage(flows + flows, 2.0) == 1.0


def test_rotation_alone_gives_phases():
    y, x = np.mgrid[:20, :30] * 16.0
    flows = [shifted(0, 0)] + [Flow(np.stack([a * (x - 240), -a * (y - 160)], -1).astype(np.float32), 16) for a in (0.002, 0.004)]
    assert subpixel_phases(flows, 2.0) > 1


def test_rigid_motion_is_found():
    angle = 0.003
    y, x = np.mgrid[:20, :30] * 16.0
    dy, dx, rotation = rigid_motion(Flow(np.stack([1.5 + angle * (x - 232), -2.5 - angle * (y - 152)], -1).astype(np.float32), 16))
    assert (dy, dx) == pytest.approx((1.5, -2.5), abs=1e-3)
    assert rotation == pytest.approx(angle, rel=1e-4)
