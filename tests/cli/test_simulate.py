import json

import cv2
import numpy as np
import pytest
import tifffile

from burstsr.files.raw import read_frame, read_info
from cli.conftest import contents, scene


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "tile.png"
    cv2.imwrite(str(path), scene(3, 96, 128))
    return path


def test_frames_truth_and_record(run, picture, tmp_path):
    status, out, _ = run("simulate", picture, "-o", tmp_path, "--frames", 3, "--cfa", "GBRG", "--iso", 800, "--orientation", 6, "--bits", 12)
    folder = tmp_path / "tile"
    assert status == 0 and out == f"tile: 3 frames -> {folder}\n"
    assert sorted(p.name for p in folder.iterdir()) == ["frame_000.dng", "frame_001.dng", "frame_002.dng", "truth.json", "truth.tif"]
    info = read_info(folder / "frame_001.dng")
    assert (info.shape, info.cfa_order, info.iso, info.orientation, info.levels.white) == ((48, 64), "GBRG", 800, 6, 4095)
    truth = tifffile.imread(folder / "truth.tif")
    assert truth.shape == (96, 128, 3) and truth.dtype == np.float32
    assert len(json.loads((folder / "truth.json").read_text())["motions"]) == 3


def test_same_seed_same_burst(run, picture, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("simulate", picture, "-o", tmp_path / out, "--frames", 2, "--seed", seed)[0] == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_a_truth_is_a_motion_file(run, picture, tmp_path):
    run("simulate", picture, "-o", tmp_path / "a", "--frames", 3, "--seed", 4)
    record = tmp_path / "a" / "tile" / "truth.json"
    assert run("simulate", picture, "-o", tmp_path / "b", "--frames", 3, "--seed", 5, "--motion", record)[0] == 0
    again = json.loads((tmp_path / "b" / "tile" / "truth.json").read_text())
    assert again["motions"] == json.loads(record.read_text())["motions"]


def test_what_is_there_is_skipped_and_overwritten_on_demand(run, run_json, picture, tmp_path):
    run("simulate", picture, "-o", tmp_path, "--frames", 4)
    old = contents(tmp_path / "tile")
    status, out, _ = run("simulate", picture, "-o", tmp_path, "--frames", 2)
    assert status == 0 and "skipped" in out and contents(tmp_path / "tile") == old
    status, result = run_json("simulate", picture, "-o", tmp_path, "--frames", 2, "--overwrite")
    assert status == 0 and result["bursts"][0]["status"] == "done"
    assert sorted(contents(tmp_path / "tile")) == ["frame_000.dng", "frame_001.dng", "truth.json", "truth.tif"]


def test_frames_of_a_camera_are_not_replaced(run, picture, tmp_path):
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "frame_000.dng").write_bytes(b"somebody's")
    status, _, err = run("simulate", picture, "-o", tmp_path, "--frames", 2)
    assert status == 1 and "frame_000.dng" in err and contents(tmp_path / "tile") == {"frame_000.dng": b"somebody's"}


def test_linear_pictures_are_sensor_values(run, tmp_path):
    light = np.full((64, 64, 3), (0.2, 0.4, 0.3), np.float32)
    tifffile.imwrite(tmp_path / "flat.tif", light, photometric="rgb")
    status, _, err = run("simulate", tmp_path / "flat.tif", "-o", tmp_path)
    assert status == 1 and "--linear" in err
    assert run("simulate", tmp_path / "flat.tif", "-o", tmp_path, "--linear", "--frames", 1, "--noise", "0,0")[0] == 0
    frame = read_frame(tmp_path / "flat" / "frame_000.dng")
    sample = (frame.mosaic - 512.0) / (16383 - 512)
    assert np.allclose(sample[0::2, 0::2], 0.2, atol=1e-4) and np.allclose(sample[0::2, 1::2], 0.4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--noise", "0.1"], "ALPHA,BETA"),
        (["--noise", "1e-4,-1e-6"], "at least 0"),
        (["--noise", "1e-4,1e-6", "--iso", "100"], "not allowed with"),
        (["--motion", "drunken"], "handheld"),
        (["--frames", "0"], "frames"),
        (["--scale", "0.5"], "scale"),
        (["--bits", "20"], "bits"),
        (["--orientation", "9"], "orientation"),
        (["--blur", "-1"], "blur"),
        (["--seed", "-1"], "seed"),
        (["--cfa", "RGBW"], "RGBW"),
    ],
)
def test_wrong_usage_is_2(run, picture, tmp_path, arguments, says):
    status, _, err = run("simulate", picture, "-o", tmp_path / "out", *arguments)
    assert status == 2 and says in err and not (tmp_path / "out").exists()


def test_pictures_of_one_name_are_refused(run, picture, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Tile.png").write_bytes(picture.read_bytes())
    status, _, err = run("simulate", picture, tmp_path / "other" / "Tile.png", "-o", tmp_path / "out")
    assert status == 2 and "tile" in err.lower()


def test_a_broken_picture_costs_itself_only(run, picture, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    status, out, err = run("simulate", tmp_path / "broken.png", picture, "-o", tmp_path / "out", "--frames", 1)
    assert status == 1 and "broken.png" in err and out.startswith("tile: ") and sorted(p.name for p in (tmp_path / "out").iterdir()) == ["tile"]
