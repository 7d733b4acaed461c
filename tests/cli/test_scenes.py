"""Frames of another scene, on the command line."""

import json
import shutil


def mixed(bursts):
    """A folder of three frames of one scene and one of another."""
    folder = bursts.parent / "mixed"
    folder.mkdir()
    for i, name in enumerate(("apple", "apple", "birch", "apple")):
        shutil.copy(bursts / name / f"frame_{i:03d}.dng", folder / f"IMG_{i}.dng")
    return folder


def test_frames_that_show_something_else_are_named(bursts, run, run_json, tmp_path):
    folder = mixed(bursts)
    status, told = run_json("inspect", folder, "--one-burst", "--align")
    assert status == 0
    assert told["bursts"][0]["scenes"] == [["IMG_0.dng", "IMG_1.dng", "IMG_3.dng"], ["IMG_2.dng"]]
    _, out, _ = run("inspect", folder, "--one-burst", "--align")
    assert "1 of 4 frames show another scene than IMG_0.dng, IMG_1.dng, IMG_3.dng: IMG_2.dng" in out
    status, out, _ = run("process", folder, "--one-burst", "-o", tmp_path / "out", "--scale", "1")
    assert status == 0
    assert "1 of 4 frames show another scene and were not used: IMG_2.dng" in out
    record = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert (record["frames_used"], record["frames_of_other_scenes"]) == (3, 1)


def test_one_frame_is_said_on_the_console(bursts, run, tmp_path):
    _, out, _ = run("process", bursts / "apple" / "frame_000.dng", "-o", tmp_path / "out")
    assert "one frame: upscaled, not merged" in out
