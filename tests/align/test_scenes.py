"""Frames of other scenes in a burst."""

import numpy as np
import pytest
from conftest import burst_of

from burstsr.align import scenes
from burstsr.core.noise import Noise

NOISE = Noise.of_iso(800)
SHAPE = (192, 256)


def scene(seed):
    """A scene as a function of the camera's shift."""
    generator = np.random.default_rng(seed)
    boxes = [(generator.uniform(0, 192), generator.uniform(0, 256), generator.uniform(6, 50), generator.uniform(0.05, 0.6)) for _ in range(30)]

    def seen(dy, dx):
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
        out = np.full(SHAPE, 0.2)
        for cy, cx, r, level in boxes:
            out[(np.abs(y + dy - cy) < r) & (np.abs(x + dx - cx) < 0.7 * r)] = level
        return out

    return seen


def burst(order, rng):
    """A frame per letter, each letter a scene, from a moving hand, some brighter than others."""
    made = {letter: scene(ord(letter)) for letter in order}
    images = [made[letter](*rng.normal(0, 6, 2)) * (1 + 0.03 * (i % 2)) for i, letter in enumerate(order)]
    return burst_of([p + np.sqrt(NOISE.variance(p, 1)) * rng.standard_normal(SHAPE) for p in images], noise=NOISE)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("aaaaaa", [[0, 1, 2, 3, 4, 5]]),
        ("ababab", [[0, 2, 4], [1, 3, 5]]),
        ("aaba", [[0, 1, 3], [2]]),
        ("abcd", [[0], [1], [2], [3]]),
        ("abbcb", [[1, 2, 4], [0], [3]]),
    ],
)
def test_single_shots_are_not_a_burst(order, expected, rng):
    assert scenes(burst(order, rng)) == expected


def test_a_chosen_reference_selects_the_scene(rng):
    assert scenes(burst("aaba", rng), leader=2) == [[2], [0, 1, 3]]


def test_frames_without_structure_cannot_be_distinguished(rng):
    flat = np.full(SHAPE, 0.2)
    made = burst_of([flat + np.sqrt(NOISE.variance(0.2, 1)) * rng.standard_normal(SHAPE) for _ in range(4)], noise=NOISE)
    assert scenes(made) == [[0, 1, 2, 3]]


def test_a_frame_in_the_dark_is_another_scene(rng):
    images = [scene(1)(i, -i) for i in range(3)]
    assert scenes(burst_of([*images, np.full(SHAPE, 0.001)], noise=NOISE)) == [[0, 1, 2], [3]]


@pytest.mark.parametrize(
    ("folder", "least"), [("raw_more/imx296_static", 9), ("raw_more/quicktake_pair", 2), ("seestar_m94", 10), ("raw_more/imx296_moving", 6)]
)
def test_real_bursts_are_one_scene(data, folder, least):
    from burstsr.io.discover import read_burst

    paths = [path for path in sorted((data / folder).iterdir()) if path.suffix in (".dng", ".qtk")]
    if len(paths) < least:
        pytest.skip(f"{folder} is not here")
    assert len(scenes(read_burst(paths))[0]) >= least
