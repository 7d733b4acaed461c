import json

import cv2
import numpy as np
import pytest
import rawpy
import tifffile

from burstsr.cli.simulate import SCENES
from burstsr.io.raw import read_frame, read_info
from burstsr.simulate import read_truth, scenes
from cli.conftest import contents, scene


def truth(folder):
    return json.loads((folder / "tile" / "truth.json").read_text())


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "tile.png"
    cv2.imwrite(str(path), scene(3, 96, 128))
    return path


def test_frames_truth_and_record(run, image, tmp_path):
    status, out, _ = run("simulate", image, "-o", tmp_path, "--frames", 3, "--cfa", "GBRG", "--iso", 800, "--orientation", 6, "--bits", 12)
    folder = tmp_path / "tile"
    assert status == 0 and out == f"tile: 3 frames -> {folder}\n"
    assert sorted(p.name for p in folder.iterdir()) == ["frame_000.dng", "frame_001.dng", "frame_002.dng", "truth.json", "truth.tif"]
    info = read_info(folder / "frame_001.dng")
    assert (info.shape, info.cfa_order, info.iso, info.orientation, info.levels.white) == ((48, 64), "GBRG", 800, 6, 4095)
    light = tifffile.imread(folder / "truth.tif")
    assert light.shape == (96, 128, 3) and light.dtype == np.float32
    assert len(json.loads((folder / "truth.json").read_text())["motions"]) == 3


@pytest.mark.parametrize("cfa", ["X-Trans", "quad RGGB"])
def test_bursts_of_other_patterns_are_written_processed_and_compared(cfa, run, run_json, tmp_path):
    cv2.imwrite(str(tmp_path / "tile.png"), scene(3, 144, 160))
    assert run("simulate", tmp_path / "tile.png", "-o", tmp_path / "in", "--frames", 3, "--cfa", cfa.lower())[0] == 0
    folder = tmp_path / "in" / "tile"
    assert read_info(folder / "frame_001.dng").cfa_order == read_truth(folder / "truth.json").cfa_order == cfa
    assert run("process", folder, "-o", tmp_path / "out", "--reference", 0)[0] == 0
    _, figures = run_json("compare", tmp_path / "out" / "tile.dng", folder / "truth.tif")
    assert figures["psnr_linear"] > 24


def test_same_seed_same_burst(run, image, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("simulate", image, "-o", tmp_path / out, "--frames", 2, "--seed", seed)[0] == 0
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_a_truth_is_a_motion_file(run, image, tmp_path):
    run("simulate", image, "-o", tmp_path / "a", "--frames", 3, "--seed", 4)
    record = tmp_path / "a" / "tile" / "truth.json"
    assert run("simulate", image, "-o", tmp_path / "b", "--frames", 3, "--seed", 5, "--motion", record)[0] == 0
    again = json.loads((tmp_path / "b" / "tile" / "truth.json").read_text())
    assert again["motions"] == json.loads(record.read_text())["motions"]


def test_a_motion_file_sets_how_many_frames(run, image, tmp_path):
    path = tmp_path / "two.json"
    path.write_text(json.dumps([{}, {"dy_px": 0.25, "rotation_rad": 0.001}]))
    assert run("simulate", image, "-o", tmp_path, "--motion", path)[0] == 0
    motions = truth(tmp_path)["motions"]
    assert len(motions) == 2 and motions[1]["dy_px"] == 0.25
    assert run("simulate", image, "-o", tmp_path / "b", "--motion", path, "--frames", 1)[0] == 0
    assert len(truth(tmp_path / "b")["motions"]) == 1
    status, _, err = run("simulate", image, "-o", tmp_path / "c", "--motion", path, "--frames", 3)
    assert status == 2 and "2 motions for 3 frames" in err


def test_motion_options_reach_the_frames(run, image, tmp_path):
    run("simulate", image, "-o", tmp_path / "a", "--frames", 3, "--motion", "tripod", "--residue", 0.1)
    run("simulate", image, "-o", tmp_path / "b", "--frames", 3, "--rolling-shutter", 0.5)
    assert 0 < abs(truth(tmp_path / "a")["motions"][1]["dy_px"]) < 1
    assert truth(tmp_path / "b")["motions"][1]["dy_per_row"] != 0


def test_scene_and_sensor_options_reach_the_frames(run, image, tmp_path):
    base = ("--frames", 2, "--noise", "0,0", "--motion", "tripod")
    options = {"plain": (), "flicker": ("--flicker",), "row": ("--row-noise", 0.01), "hot": ("--hot-pixels", 5), "mover": ("--moving-object",)}
    frames = {}
    for name, option in options.items():
        assert run("simulate", image, "-o", tmp_path / name, *base, *option)[0] == 0
        frames[name] = [read_frame(tmp_path / name / "tile" / f"frame_00{i}.dng").mosaic.astype(float) for i in (0, 1)]
    plain = frames["plain"][0]
    assert np.array_equal(*frames["plain"])
    assert not np.array_equal(*frames["flicker"]) and not np.array_equal(*frames["mover"])
    assert np.ptp((frames["row"][0] - plain).mean(axis=1)) > 50 and np.ptp(frames["row"][0] - plain, axis=1).max() <= 1
    assert [list(p) for p in np.argwhere(frames["hot"][0] != plain)] == sorted(truth(tmp_path / "hot")["hot_pixels"])


def test_a_psf_file_is_the_lens(run, image, tmp_path):
    (tmp_path / "point.txt").write_text("0 0 0\n0 2 0\n0 0 0\n")
    np.save(tmp_path / "wide.npy", np.ones((5, 5)))
    (tmp_path / "even.csv").write_text("1,1\n1,1\n")
    base = ("simulate", image, "--frames", 1, "--noise", "0,0", "-o")
    run(*base, tmp_path / "sharp", "--blur", 0)
    run(*base, tmp_path / "point", "--psf", tmp_path / "point.txt")
    run(*base, tmp_path / "wide", "--psf", tmp_path / "wide.npy")
    sharp, point, wide = (read_frame(tmp_path / name / "tile" / "frame_000.dng").mosaic.astype(float) for name in ("sharp", "point", "wide"))
    assert np.array_equal(sharp, point)
    assert np.abs(np.diff(wide[::2, ::2])).mean() < 0.9 * np.abs(np.diff(sharp[::2, ::2])).mean()
    status, _, err = run(*base, tmp_path / "even", "--psf", tmp_path / "even.csv")
    assert status == 1 and "even.csv" in err and "odd" in err


def test_noise_of_a_named_camera(run, image, tmp_path):
    profiles = [{"iso": iso, "a": [iso * 1e-6] * 3, "b": [iso * 1e-9] * 3} for iso in (100, 800)]
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"noiseprofiles": [{"maker": "Acme", "models": [{"model": "One", "profiles": profiles}]}]}))
    assert run("simulate", image, "-o", tmp_path, "--frames", 1, "--camera", "acme one", "--noise-table", table, "--iso", 800)[0] == 0
    info = read_info(tmp_path / "tile" / "frame_000.dng")
    assert np.allclose(info.noise.alpha, 8e-4) and np.allclose(info.noise.beta, 8e-7) and info.iso == 800
    status, _, err = run("simulate", image, "-o", tmp_path / "b", "--camera", "Acme Two", "--noise-table", table)
    assert status == 2 and "Acme Two" in err


def test_vignetting_is_undone_by_reading(run, tmp_path):
    light = np.full((128, 192, 3), (0.2, 0.4, 0.3), np.float32)
    tifffile.imwrite(tmp_path / "flat.tif", light, photometric="rgb")
    assert run("simulate", tmp_path / "flat.tif", "-o", tmp_path, "--linear", "--frames", 1, "--noise", "0,0", "--vignetting", 0.6)[0] == 0
    path = tmp_path / "flat" / "frame_000.dng"
    frame = read_frame(path)
    sample = (frame.mosaic - frame.info.levels.black[0, 0]) / (frame.info.levels.white - frame.info.levels.black[0, 0])
    for site, level in (((0, 0), 0.2), ((0, 1), 0.4), ((1, 1), 0.3)):
        np.testing.assert_allclose(sample[site[0] :: 2, site[1] :: 2], level, atol=2e-4)
    with rawpy.imread(str(path)) as raw:  # LibRaw leaves the gain map to us: what the sensor saw
        seen = (raw.raw_image_visible - 512.0) / (16383 - 512)
    assert seen[0, 0] == pytest.approx(0.2 * 0.4, rel=0.05) and seen[32, 48] == pytest.approx(0.2, rel=0.01)


def test_what_is_there_is_skipped_and_overwritten_on_demand(run, run_json, image, tmp_path):
    run("simulate", image, "-o", tmp_path, "--frames", 4)
    old = contents(tmp_path / "tile")
    status, out, _ = run("simulate", image, "-o", tmp_path, "--frames", 2)
    assert status == 0 and "skipped" in out and contents(tmp_path / "tile") == old
    status, result = run_json("simulate", image, "-o", tmp_path, "--frames", 2, "--overwrite")
    assert status == 0 and result["bursts"][0]["status"] == "done"
    assert sorted(contents(tmp_path / "tile")) == ["frame_000.dng", "frame_001.dng", "truth.json", "truth.tif"]


def test_frames_of_a_camera_are_not_replaced(run, image, tmp_path):
    (tmp_path / "tile").mkdir()
    (tmp_path / "tile" / "frame_000.dng").write_bytes(b"somebody's")
    status, _, err = run("simulate", image, "-o", tmp_path, "--frames", 2)
    assert status == 1 and "frame_000.dng" in err and contents(tmp_path / "tile") == {"frame_000.dng": b"somebody's"}


def test_linear_images_are_sensor_values(run, tmp_path):
    light = np.full((64, 64, 3), (0.2, 0.4, 0.3), np.float32)
    tifffile.imwrite(tmp_path / "flat.tif", light, photometric="rgb")
    status, _, err = run("simulate", tmp_path / "flat.tif", "-o", tmp_path)
    assert status == 1 and "--linear" in err
    assert run("simulate", tmp_path / "flat.tif", "-o", tmp_path, "--linear", "--frames", 1, "--noise", "0,0")[0] == 0
    frame = read_frame(tmp_path / "flat" / "frame_000.dng")
    sample = (frame.mosaic - 512.0) / (16383 - 512)
    assert np.allclose(sample[0::2, 0::2], 0.2, atol=1e-4) and np.allclose(sample[0::2, 1::2], 0.4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "0.1"], "ALPHA,BETA"),
        (["--noise", "1e-4,-1e-6"], "at least 0"),
        (["--noise", "1e-4,1e-6", "--iso", "100"], "not allowed with"),
        (["--motion", "drunken"], "handheld"),
        (["--residue", "0.1"], "--motion tripod"),
        (["--rolling-shutter", "0.5", "--motion", "jiggle"], "--motion handheld"),
        (["--camera", "Acme One"], "--noise-table"),
        (["--camera", "Acme One", "--noise", "0,0"], "--noise and --camera"),
        (["--vignetting", "0.95"], "vignetting"),
        (["--blur", "0.1", "--psf", "lens.txt"], "not allowed with"),
        (["--row-noise", "-1"], "--row-noise"),
        (["--hot-pixels", "-1"], "--hot-pixels"),
        (["--frames", "0"], "frames"),
        (["--scale", "0.5"], "scale"),
        (["--bits", "20"], "bits"),
        (["--orientation", "9"], "orientation"),
        (["--blur", "-1"], "blur"),
        (["--seed", "-1"], "seed"),
        (["--cfa", "RGBW"], "RGBW"),
    ],
)
def test_wrong_usage_is_2(run, image, tmp_path, arguments, message):
    status, _, err = run("simulate", image, "-o", tmp_path / "out", *arguments)
    assert status == 2 and message in err and not (tmp_path / "out").exists()


def test_images_of_one_name_are_refused(run, image, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Tile.png").write_bytes(image.read_bytes())
    status, _, err = run("simulate", image, tmp_path / "other" / "Tile.png", "-o", tmp_path / "out")
    assert status == 2 and "tile" in err.lower()


def test_a_broken_image_costs_itself_only(run, image, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    status, out, err = run("simulate", tmp_path / "broken.png", image, "-o", tmp_path / "out", "--frames", 1)
    assert status == 1 and "broken.png" in err and out.startswith("tile: ") and sorted(p.name for p in (tmp_path / "out").iterdir()) == ["tile"]


def test_a_scene_has_its_dense_truth(run, image, tmp_path):
    for out, scene_name in (("a", "motion-blur"), ("b", "motion-blur"), ("c", "Parallax")):
        assert run("simulate", image, "-o", tmp_path / out, "--scene", scene_name, "--frames", 3, "--iso", 100, "--seed", 2)[0] == 0
    folder = tmp_path / "a" / "tile"
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")
    assert sorted(p.name for p in folder.iterdir()) == [*(f"frame_{i:03d}.dng" for i in range(3)), "truth.json", "truth.tif", "truth_flows.npz"]
    assert (read_info(folder / "frame_002.dng").shape, tifffile.imread(folder / "truth.tif").shape) == ((48, 64), (96, 128, 3))
    record = truth(tmp_path / "a")
    assert (record["scene"], record["name"]) == ("motion-blur", "tile") and max(record["blur_moments_px2"][1]) > 0.05
    with np.load(folder / "truth_flows.npz") as dense:
        assert (dense["flows"].shape, dense["occluded"].shape, dense["affected"].shape) == ((3, 48, 64, 2), (3, 48, 64), (96, 128))
        median = np.median(dense["flows"].reshape(3, -1, 2), axis=1)
    assert np.allclose([[m["dy_px"], m["dx_px"]] for m in record["motions"]], median, atol=1e-4)
    assert read_truth(folder / "truth.json").shape == (48, 64)  # `compare` takes colour and noise from it
    status, _, err = run("simulate", image, "-o", tmp_path / "d", "--motion", folder / "truth.json")
    assert status == 1 and "no motion file" in err


def test_a_simulation_without_a_scene_leaves_no_dense_truth_of_an_earlier_one(run, image, tmp_path):
    assert run("simulate", image, "-o", tmp_path, "--frames", 2, "--scene", "clean")[0] == 0
    assert run("simulate", image, "-o", tmp_path, "--frames", 2, "--overwrite")[0] == 0
    assert not (tmp_path / "tile" / "truth_flows.npz").exists() and "scene" not in truth(tmp_path)


def test_a_scene_takes_no_options_of_what_it_determines(run, image, tmp_path):
    assert SCENES == tuple(scenes.SCENES)
    for options in (("--motion", "tripod"), ("--blur", 0.5), ("--vignetting", 0.3), ("--linear",), ("--hot-pixels", 4), ("--noise", "0,0")):
        status, _, err = run("simulate", image, "-o", tmp_path, "--scene", "leaves", *options)
        assert status == 2 and f"takes no {options[0]}" in err
    status, _, err = run("simulate", image, "-o", tmp_path, "--scene", "seaside")
    assert status == 2 and "focus-breathing" in err
    tifffile.imwrite(tmp_path / "light.tif", np.full((64, 64, 3), 0.5, np.float32), photometric="rgb")
    status, _, err = run("simulate", tmp_path / "light.tif", "-o", tmp_path, "--scene", "clean")
    assert status == 1 and "sRGB images of 8 or 16 bits" in err
