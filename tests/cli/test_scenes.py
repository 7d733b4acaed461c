"""Frames of another scene, on the command line."""

import json
import shutil

import numpy as np
import tifffile
from scipy import ndimage


def mixed(bursts):
    """A folder of three frames of one scene and one of another."""
    folder = bursts.parent / "mixed"
    folder.mkdir()
    for i, name in enumerate(("apple", "apple", "birch", "apple")):
        shutil.copy(bursts / name / f"frame_{i:03d}.dng", folder / f"IMG_{i}.dng")
    return folder


def test_frames_that_show_something_else_are_named(bursts, run, run_json, tmp_path):
    folder = mixed(bursts)
    status, reported = run_json("inspect", folder, "--one-burst", "--align")
    assert status == 0
    assert reported["bursts"][0]["scenes"] == [["IMG_0.dng", "IMG_1.dng", "IMG_3.dng"], ["IMG_2.dng"]]
    _, out, _ = run("inspect", folder, "--one-burst", "--align")
    assert "1 of 4 frames show another scene than IMG_0.dng, IMG_1.dng, IMG_3.dng: IMG_2.dng" in out
    status, out, _ = run("process", folder, "--one-burst", "-o", tmp_path / "out", "--scale", "1")
    assert status == 0
    assert "1 of 4 frames show another scene and were not used: IMG_2.dng" in out
    record = json.loads(next((tmp_path / "out").glob("*.json")).read_text())
    assert (record["frames_used"], record["frames_of_other_scenes"]) == (3, 1)


def test_one_frame_is_reported_on_the_console(bursts, run, tmp_path):
    _, out, _ = run("process", bursts / "apple" / "frame_000.dng", "-o", tmp_path / "out")
    assert "one frame: upscaled, not merged" in out


def test_inspect_names_blurred_frames(run, run_json, tmp_path):
    rng = np.random.default_rng(0)
    image = np.uint8(np.clip(128 + 60 * ndimage.gaussian_filter(rng.normal(size=(256, 320)), 1.0)[..., None] * (3, 3, 3), 0, 255))
    for name, sigma in (("sharp", 0.2), ("soft", 1.5)):
        tifffile.imwrite(tmp_path / f"{name}.tif", image, photometric="rgb")
        assert run("simulate", tmp_path / f"{name}.tif", "-o", tmp_path, "--frames", 4, "--blur", sigma, "--iso", 100)[0] == 0
    shutil.copy(tmp_path / "soft" / "frame_003.dng", tmp_path / "sharp" / "frame_003.dng")
    shutil.rmtree(tmp_path / "soft")
    status, reported = run_json("inspect", tmp_path / "sharp", "--one-burst", "--align")
    blur = [frame["blur_px"] for frame in reported["bursts"][0]["frames"]]
    assert status == 0 and max(blur[:3]) < 0.5 and 1.5 < blur[3] < 2.7  # of sqrt(2 (1.5^2 - 0.2^2)) = 2.1
    _, out, _ = run("inspect", tmp_path / "sharp", "--one-burst", "--align")
    assert "sharp: blurred against the sharpest frame: frame_003.dng (" in out
