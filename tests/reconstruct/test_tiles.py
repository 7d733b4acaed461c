"""Cutting the image into tiles, and what of a frame a tile needs."""

import numpy as np
import pytest

from burstsr.core.coords import raw_position
from burstsr.core.flow import Flow
from burstsr.reconstruct.tiles import Tile, box_in_frame, tiles

SHAPES = [(192, 192), (193, 500), (20, 31), (1, 7)]


@pytest.mark.parametrize("side", [8, 64, 192])
@pytest.mark.parametrize("shape", SHAPES)
def test_tiles_cover_the_image_once(shape, side):
    count = np.zeros(shape, int)
    for tile in tiles(shape, side, 3):
        assert 0 < tile.y1 - tile.y0 <= side and 0 < tile.x1 - tile.x0 <= side
        count[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
    assert (count == 1).all()


def test_tiles_are_of_nearly_equal_size():
    sides = [(t.y1 - t.y0, t.x1 - t.x0) for t in tiles((193, 500), 192, 3)]
    assert np.ptp(sides, axis=0).max() <= 1


@pytest.mark.parametrize("side", [8, 64])
@pytest.mark.parametrize("shape", [(40, 33), (20, 31)])
def test_cut_mirrors_beyond_the_image(shape, side, rng):
    image, margin = rng.uniform(0, 1, (*shape, 3)).astype(np.float32), 5
    padded = np.pad(image, ((margin, margin), (margin, margin + 15), (0, 0)), "reflect")
    for tile in tiles(shape, side, margin):
        cut = tile.cut(image)
        assert cut.shape == (3, *tile.shape) and cut.flags.c_contiguous
        assert tile.shape[1] % 16 == 0 and 0 <= tile.shape[1] - (tile.x1 - tile.x0 + 2 * margin) < 16
        expected = padded[tile.y0 : tile.y1 + 2 * margin, tile.x0 : tile.x0 + tile.shape[1]]
        np.testing.assert_array_equal(np.moveaxis(cut, 0, 2), expected)
        np.testing.assert_array_equal(np.moveaxis(cut[tile.own], 0, 2), image[tile.y0 : tile.y1, tile.x0 : tile.x1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 2)])
def test_margins_wider_than_the_image(shape, rng):
    image = rng.uniform(0, 1, (*shape, 3)).astype(np.float32)
    (tile,) = tiles(shape, 192, 14)
    assert set(np.unique(tile.cut(image))) == set(np.unique(image))


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_quads_are_those_under_the_tile(scale):
    for tile in tiles((100, 90), 40, 6):
        for first, length, cells in zip(tile.origin, tile.shape, tile.cells(scale), strict=True):
            under = np.floor((raw_position(first + np.arange(length), scale) + 0.5) / 2)
            assert set(under.astype(int)) <= set(cells.tolist())
            assert cells[0] >= under[0] - 1 and cells[-1] <= under[-1] + 1


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (9.3, -21.7), (-40.2, 3.1), (300.0, 0.0)])
def test_box_holds_every_sample_that_meets_the_tile(scale, shift, rng):
    shape = (48, 64)
    y, x = np.mgrid[: shape[0], : shape[1]]
    flow = Flow((np.array(shift) + rng.normal(0, 0.3, (3, 4, 2))).astype(np.float32), 16)
    p = np.stack([y, x], -1) + flow.inverse().at(y, x)
    for tile in tiles((round(scale * shape[0]), round(scale * shape[1])), 24, 4):
        first = np.array(tile.origin)
        meets = ((p * scale < first + tile.shape) & ((p + 1) * scale > first)).all(-1)
        y0, y1, x0, x1 = box_in_frame(tile, flow, scale, shape)
        assert 0 <= y0 <= y1 <= shape[0] and 0 <= x0 <= x1 <= shape[1] and not any(v % 2 for v in (y0, y1, x0, x1))
        outside = meets.copy()
        outside[y0:y1, x0:x1] = False
        assert not outside.any(), (tile, np.argwhere(outside)[:3], (y0, y1, x0, x1))


def test_box_is_not_much_larger_than_the_tile():
    tile = Tile(40, 72, 40, 72, 8)
    y0, y1, x0, x1 = box_in_frame(tile, Flow.zero((200, 200), 16), 2.0, (200, 200))
    assert (y1 - y0) <= 24 + 4 and (x1 - x0) <= 24 + 4
