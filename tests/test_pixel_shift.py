"""Sets of a camera that shifts its sensor by whole or half pixels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import frame_of

from burstsr import BurstError, Settings, SimulateSettings, simulate_burst, super_resolve
from burstsr.core.burst import Burst
from burstsr.core.errors import RangeError
from burstsr.demosaic import demosaic
from burstsr.io.discover import discover
from burstsr.io.dng import write_cfa_dng
from burstsr.io.grouping import Grouping
from burstsr.profiles.apply import CalibrationInputs, known_of, prepared
from burstsr.profiles.pixel_shift import STEPS_PX, pixel_shift_flows


def scene(height=96, width=128):
    y, x = np.mgrid[:height, :width]
    grey = 0.4 + 0.2 * np.sign(np.sin(x / 3.1 + y / 17) * np.sin(y / 4.3))
    rgb = np.stack([grey + 0.2 * np.sin(x / 9), grey, grey - 0.2 * np.sin(x / 9)], -1)
    return cv2.GaussianBlur(np.clip(rgb, 0, 1).astype(np.float32), (0, 0), 0.7)


def taken(kind, rng, **settings):
    frames = {"pixel-shift-4": 4, "pixel-shift-16": 16}[kind]
    return simulate_burst(scene(), SimulateSettings(**{"frames": frames, "motion": kind, "scale": 1.0, "iso": 100, **settings}), rng)


@pytest.mark.parametrize(("kind", "step"), STEPS_PX.items())
def test_a_set_has_every_phase_of_the_filters_once(kind, step, rng):
    phases = {(m.dy_px % 2 / step, m.dx_px % 2 / step) for m in taken(kind, rng).motions}
    assert phases == {(y, x) for y in range(round(2 / step)) for x in range(round(2 / step))}


@pytest.mark.parametrize("reference", [0, 2])
@pytest.mark.parametrize("kind", STEPS_PX)
def test_each_frame_gets_the_step_that_it_made(kind, reference, rng):
    made = taken(kind, rng)
    flows = pixel_shift_flows(kind, made.burst, Settings(reference=reference))
    own = made.motions[reference]
    for flow, motion in zip(flows, made.motions, strict=True):
        assert np.unique(flow.tiles[..., 0]).tolist() == [motion.dy_px - own.dy_px] and np.unique(flow.tiles[..., 1]).tolist() == [motion.dx_px - own.dx_px]


def test_the_planes_of_four_frames_complete_each_other(rng):
    made = taken("pixel-shift-4", rng)
    ready = prepared(CalibrationInputs(motion=known_of([], Path("pixel-shift-4")).motion), made.burst, Settings(scale=1.0, reference=0))
    image = super_resolve(ready.burst, ready.settings, flows=ready.flows).image
    error, of_one = (np.mean((found - made.truth)[8:-8, 8:-8] ** 2) for found in (image, demosaic(made.burst.frames[0])))
    assert 10 * np.log10(of_one / error) > 4
    assert ready.sources["motion"] == "pixel-shift-4"


def test_what_is_no_such_set_is_refused(rng):
    made = taken("pixel-shift-4", rng)
    with pytest.raises(BurstError, match="has 3 frames: pixel-shift-4 takes sets of 4"):
        pixel_shift_flows("pixel-shift-4", Burst("b", made.burst.frames[:3]), Settings())
    with pytest.raises(BurstError, match="only 3 of the 4 frames"):
        pixel_shift_flows("pixel-shift-4", Burst("b", (*made.burst.frames[:3], made.burst.frames[0])), Settings())
    hand = simulate_burst(scene(), SimulateSettings(frames=4, scale=1.0, iso=100), rng).burst
    with pytest.raises(BurstError, match=r"moved by .* no multiple of 1 px"):
        pixel_shift_flows("pixel-shift-4", hand, Settings())
    with pytest.raises(RangeError, match="must be 16 for motion pixel-shift-16"):
        SimulateSettings(frames=13, motion="pixel-shift-16")


def test_a_folder_of_several_sets_is_several_bursts(tmp_path, rng):
    """Issue 18: sets lie one after the other in a folder."""
    for i in range(12):
        write_cfa_dng(tmp_path / f"IMG_{i:02d}.dng", frame_of(rng.uniform(0, 1, (64, 80))))
    for count, expected in ((4, [4, 4, 4]), (16, [12]), (0, [12])):
        bursts = discover([tmp_path], Grouping(one_burst=True, set_frames=count)).bursts
        assert [len(b.infos) for b in bursts] == expected
    names = [b.name for b in discover([tmp_path], Grouping(one_burst=True, set_frames=4)).bursts]
    assert names == ["IMG_00", "IMG_04", "IMG_08"]
    (tmp_path / "IMG_11.dng").unlink()
    assert [len(b.infos) for b in discover([tmp_path], Grouping(one_burst=True, set_frames=4)).bursts] == [11], "is refused by its number of frames"


def test_the_command_lines_know_them(tmp_path, capsys):
    from burstsr.cli import main

    cv2.imwrite(str(tmp_path / "tile.png"), np.rint(255 * scene()[..., ::-1]).astype(np.uint8))
    assert main(["simulate", str(tmp_path / "tile.png"), "-o", str(tmp_path / "in"), "--motion", "pixel-shift-4", "--scale", "1"]) == 0
    assert main(["process", str(tmp_path / "in" / "tile"), "-o", str(tmp_path / "out"), "--motion", "pixel-shift-4", "--scale", "1"]) == 0
    assert main(["process", str(tmp_path / "in" / "tile"), "-o", str(tmp_path / "out2"), "--motion", "pixel-shift-16"]) == 1
    assert "has 4 frames: pixel-shift-16 takes sets of 16" in capsys.readouterr().err
