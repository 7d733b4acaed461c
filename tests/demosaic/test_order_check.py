import numpy as np
import pytest
from conftest import frame_of

from burstsr.core.cfa import BAYER_ORDERS, Cfa
from burstsr.demosaic.order_check import check_order


@pytest.fixture
def scene(rng):
    """(192, 192, 3): soft shapes in a warm light, with noise."""
    y, x = np.mgrid[:192, :192]
    grey = 0.4 + 0.2 * np.sin(x / 9) * np.sin(y / 13)
    return np.clip(grey[..., None] * [0.9, 1.0, 0.5] + rng.normal(0, 0.02, (192, 192, 3)), 0, 1)


@pytest.mark.parametrize("order", BAYER_ORDERS)
@pytest.mark.parametrize("stated", BAYER_ORDERS)
def test_greens_at_the_wrong_sites_are_told(scene, order, stated):
    frame = frame_of(scene, order)
    told = check_order(frame.with_info(frame.info.__class__(**{**vars(frame.info), "cfa": Cfa.parse(stated)})))
    wrong = (order in ("RGGB", "BGGR")) != (stated in ("RGGB", "BGGR"))
    assert bool(told) == wrong and (not wrong or f"{stated}, contradicts" in told and order in told)


@pytest.mark.parametrize("colour", [(1, 1, 1), (0.5, 1, 0.5), (1, 0.4, 1), (0, 0, 0)])
def test_no_scene_of_the_right_order_is_doubted(rng, colour):
    image = np.clip(rng.uniform(0.1, 0.8, (192, 192, 1)) * colour + rng.normal(0, 0.05, (192, 192, 3)), 0, 1)
    assert not check_order(frame_of(image, "GRBG")) and not check_order(frame_of(image[..., 0], "mono")) and not check_order(frame_of(image[:32, :32]))
