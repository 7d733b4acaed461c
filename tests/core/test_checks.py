"""Issue "a real card", item 10: no value that a user can pass reaches a compiled loop unchecked."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import burst_of, frame_of

from burstsr import super_resolve, write_dng
from burstsr.core.burst import Burst, Colour, Frame, Levels
from burstsr.core.checks import FARTHEST_PX, LEAST_SIDE_PX
from burstsr.core.errors import BurstError, BurstsrError, SettingsError
from burstsr.core.flow import Flow
from burstsr.core.noise import Noise
from burstsr.core.result import Result
from burstsr.settings import Settings

SIDE = 32
GREY = np.full((SIDE, SIDE), 0.3)
THREE = np.ones(3)


def burst(n=2):
    return burst_of([GREY] * n)


def with_info(**changes):
    """A burst whose second frame is described otherwise."""
    good, other = burst()
    return Burst("b", (good, replace(other, info=replace(other.info, **changes))))


def with_mosaic(mosaic, shape=None):
    frame = burst().frames[0]
    return Burst("b", (Frame(replace(frame.info, shape=shape or np.shape(mosaic)[:2]), mosaic),))


def levels(black, white):
    return Levels(np.asarray(black, np.float64), white)


BLACK = np.zeros((2, 2))
BURSTS = {
    "empty": lambda: Burst("b", ()),
    "odd height": lambda: with_mosaic(np.zeros((33, 32), np.uint16)),
    "odd width": lambda: with_mosaic(np.zeros((32, 33), np.uint16)),
    "14 rows": lambda: with_mosaic(np.zeros((14, 32), np.uint16)),
    "2 x 2": lambda: with_mosaic(np.zeros((2, 2), np.uint16)),
    "0 x 0": lambda: with_mosaic(np.zeros((0, 0), np.uint16)),
    "float mosaic": lambda: with_mosaic(np.full((32, 32), 0.5, np.float32)),
    "uint8 mosaic": lambda: with_mosaic(np.zeros((32, 32), np.uint8)),
    "int64 mosaic": lambda: with_mosaic(np.zeros((32, 32), np.int64)),
    "colour mosaic": lambda: with_mosaic(np.zeros((32, 32, 3), np.uint16)),
    "flat mosaic": lambda: with_mosaic(np.zeros(1024, np.uint16), (32, 32)),
    "list for a mosaic": lambda: with_mosaic([[0] * 32] * 32, (32, 32)),
    "smaller mosaic than described": lambda: with_mosaic(np.zeros((32, 32), np.uint16), (64, 64)),
    "other size": lambda: Burst("b", (frame_of(GREY), frame_of(np.full((64, 32), 0.3)))),
    "mixed CFA orders": lambda: Burst("b", (frame_of(GREY), frame_of(GREY, cfa="BGGR"))),
    "CFA of four reds": lambda: with_info(cfa=np.zeros((2, 2), np.uint8)),
    "a CFA with gaps": lambda: Burst("b", (frame_of(GREY, cfa="GGGGGG/GRGGBG/GGGGGG"),)),
    "white below black": lambda: with_info(levels=levels(BLACK + 1024, 512.0)),
    "white at black": lambda: with_info(levels=levels(BLACK + 1024, 1024.0)),
    "white NaN": lambda: with_info(levels=levels(BLACK, float("nan"))),
    "white inf": lambda: with_info(levels=levels(BLACK, float("inf"))),
    "white 1e308": lambda: with_info(levels=levels(BLACK, 1e308)),
    "white text": lambda: with_info(levels=levels(BLACK, "16383")),
    "black NaN": lambda: with_info(levels=levels(BLACK + np.nan, 65535.0)),
    "black -1e300": lambda: with_info(levels=levels(BLACK - 1e300, 65535.0)),
    "one black": lambda: with_info(levels=levels(0.0, 65535.0)),
    "other white": lambda: with_info(levels=levels(BLACK + 1024, 60000.0)),
    "noise NaN": lambda: with_info(noise=Noise(THREE * np.nan, THREE)),
    "noise inf": lambda: with_info(noise=Noise(THREE * np.inf, THREE)),
    "noise negative": lambda: with_info(noise=Noise(-THREE, THREE)),
    "noise 1e30": lambda: with_info(noise=Noise(THREE, THREE * 1e30)),
    "noise of one channel": lambda: with_info(noise=Noise(np.ones(1), np.ones(1))),
    "neutral 0": lambda: with_info(colour=Colour(THREE * 0)),
    "neutral NaN": lambda: with_info(colour=Colour(THREE * np.nan)),
    "neutral of two": lambda: with_info(colour=Colour(np.ones(2))),
    "matrix NaN": lambda: with_info(colour=Colour(THREE, np.eye(3) * np.nan)),
    "matrix without inverse": lambda: with_info(colour=Colour(THREE, np.ones((3, 3)))),
    "matrix 2 x 3": lambda: with_info(colour=Colour(THREE, np.ones((2, 3)))),
    "orientation 0": lambda: with_info(orientation=0),
    "shape of text": lambda: with_info(shape=("32", "32")),
    "shape of three": lambda: with_info(shape=(32, 32, 3)),
}


@pytest.mark.parametrize("name", BURSTS)
def test_frames_that_no_loop_may_see_are_refused(name):
    with pytest.raises(BurstError):
        super_resolve(BURSTS[name]())


def flow(value=0.0, shape=(2, 2, 2), tile=16, kind=np.float32):
    return Flow(np.full(shape, value, kind), tile)


FLOWS = {
    "NaN": flow(np.nan),
    "inf": flow(-np.inf),
    "1e30": flow(1e30),
    "1e308": flow(1e308, kind=np.float64),
    "too few tiles": flow(shape=(1, 1, 2)),
    "too many tiles": flow(shape=(200, 200, 2)),
    "no tiles": flow(shape=(0, 0, 2)),
    "of one axis": flow(shape=(2, 2, 1)),
    "of text": Flow(np.full((2, 2, 2), "1"), 16),
    "complex": flow(kind=np.complex64),
    "tile 0": flow(tile=0),
    "tile -16": flow(tile=-16),
    "tile 16.5": flow(tile=16.5),
    "tile NaN": flow(tile=float("nan")),
}


@pytest.mark.parametrize("name", FLOWS)
def test_known_flows_that_no_loop_may_see_are_refused(name):
    """NaN and inf ended in a segmentation fault."""
    with pytest.raises(SettingsError, match=r"flows\[1\]"):
        super_resolve(burst(), Settings(reference=0), flows=[Flow.zero((SIDE, SIDE), 16), FLOWS[name]])


def test_one_known_flow_too_few_is_refused():
    with pytest.raises(SettingsError, match="one per frame, 2, not 1"):
        super_resolve(burst(), Settings(reference=0), flows=[Flow.zero((SIDE, SIDE), 16)])


@pytest.mark.parametrize(
    "defects",
    [[(SIDE, 0)], [(0, SIDE)], [(-1, 0)], [(2**62, 0)], [(0.5, 0.5)], [(np.nan, 0)], [1, 2], [(1, 2, 3)], [("a", "b")], np.full((1, 2), True)],
    ids=str,
)
def test_known_defects_that_no_loop_may_see_are_refused(defects):
    with pytest.raises(SettingsError, match="bad_pixels"):
        super_resolve(burst(), bad_pixels=np.array(defects))


@pytest.mark.parametrize("reference", [2, 10_000])
def test_a_reference_beyond_the_burst_is_refused(reference):
    with pytest.raises(BurstsrError, match="reference must be between 0 and 1"):
        super_resolve(burst(), Settings(reference=reference))


@pytest.mark.parametrize("far", [FARTHEST_PX, -FARTHEST_PX, 40.0])
def test_the_farthest_motion_is_harmless(rng, far):
    """What is allowed must be safe to its end: a frame displaced out of sight gives nothing, and neither crashes nor leaves NaN."""
    made = burst_of([rng.uniform(0.2, 0.6, (SIDE, SIDE)) for _ in range(3)])
    wild = Flow(rng.choice([-far, far, 0], (4, 4, 2)).astype(np.float64), 8)
    flows = [Flow.zero((SIDE, SIDE), 16), flow(far), wild]
    image = super_resolve(made, Settings(reference=0), flows=flows)
    assert image.image.shape == (2 * SIDE, 2 * SIDE, 3) and np.isfinite(image.image).all()


@pytest.mark.parametrize("black", [(-1024.0), (65534.0)])
def test_the_smallest_frame_and_the_oddest_levels_are_harmless(rng, black):
    pixels = rng.integers(0, 65536, (3, LEAST_SIDE_PX, LEAST_SIDE_PX)).astype(np.uint16)
    info = frame_of(np.full((LEAST_SIDE_PX, LEAST_SIDE_PX), 0.3)).info
    info = replace(info, levels=levels(BLACK + black, 65535.0), noise=Noise(THREE * 100, THREE * 0))
    image = super_resolve(Burst("b", tuple(Frame(info, mosaic) for mosaic in pixels)), Settings(scale=4))
    assert np.isfinite(image.image).all()


def image(rgb, scale=2.0, noise=None, **info):
    return Result(rgb, replace(frame_of(GREY).info, **info), scale, noise)


RGB = np.full((64, 64, 3), 0.3, np.float32)
IMAGES = {
    "grey": lambda: image(RGB[..., 0]),
    "four channels": lambda: image(np.zeros((64, 64, 4), np.float32)),
    "empty": lambda: image(RGB[:0]),
    "NaN": lambda: image(RGB * np.float32("nan")),
    "inf": lambda: image(RGB * np.float32("inf")),
    "integers": lambda: image(np.zeros((64, 64, 3), np.int64)),
    "a list": lambda: image(RGB.tolist()),
    "noise NaN": lambda: image(RGB, noise=Noise(THREE * np.nan, THREE)),
    "scale NaN": lambda: image(RGB, scale=float("nan")),
    "orientation 9": lambda: image(RGB, orientation=9),
    "neutral 0": lambda: image(RGB, colour=Colour(THREE * 0)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_that_no_file_can_hold_are_refused(name, tmp_path):
    """Four channels were read beyond their rows."""
    with pytest.raises(SettingsError, match="result"):
        write_dng(tmp_path / "out.dng", IMAGES[name]())
    assert not list(tmp_path.iterdir())
