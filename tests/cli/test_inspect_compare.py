import shutil

import numpy as np
import pytest
import tifffile

from burstsr.core.errors import InputFileError
from burstsr.io.linear_dng import read_linear_dng


def test_inspect_shows_bursts_and_frames(run, run_json, made):
    status, out, err = run("inspect", made)
    assert (status, err) == (0, "") and [line.split()[0] for line in out.splitlines()] == ["burst", "apple", "birch", "cedar"]
    status, out, _ = run("inspect", made / "birch", "-v")
    assert status == 0 and out.count("frame_00") == 4 and "16383" in out and "2.000 1.000 1.600" in out
    status, result = run_json("inspect", made)
    assert status == 0 and [len(b["frames"]) for b in result["bursts"]] == [4, 4, 4]
    frame = result["bursts"][0]["frames"][0]
    assert frame["black"] == [[512, 512], [512, 512]] and frame["white"] == 16383 and len(frame["noise"]["alpha"]) == 3


def test_inspect_names_what_is_refused(run, run_json, bursts):
    (bursts / "apple" / "broken.dng").write_bytes(b"not a raw file")
    status, _, err = run("inspect", bursts)
    assert status == 1 and "broken.dng" in err
    status, result = run_json("inspect", bursts)
    assert status == 1 and result["refused"][0]["path"].endswith("broken.dng")


def test_inspect_of_nothing_is_2(run, tmp_path):
    assert run("inspect", tmp_path / "nowhere")[0] == 2
    assert run("inspect", tmp_path)[0] == 2


@pytest.fixture(scope="module")
def upright(made, tmp_path_factory):
    """Results of one burst in every format, in plain sRGB."""
    from burstsr.cli import main

    out = tmp_path_factory.mktemp("results")
    options = ["--set", "finish.tone=0", "--set", "finish.sharpen=0", "--format", "tiff", "--format", "png"]
    assert main(["process", str(made / "apple"), "-o", str(out), "--reference", "0", *options]) == 0
    return out


def test_a_result_comes_close_to_the_truth_in_every_format(run_json, made, upright):
    figures = {}
    for name in ("apple.dng", "apple.tif", "apple.png", "apple.jpg"):
        status, figures[name] = run_json("compare", upright / name, made / "apple" / "truth.tif", "--crop", 16)
        assert status == 0
    best = figures["apple.dng"]
    assert best["psnr_srgb"] > 22 and best["psnr_linear"] > 25 and 0.5 < best["ssim"] <= 1 and best["chroma_error"] < 0.1
    for name in ("apple.tif", "apple.png", "apple.jpg"):
        assert figures[name]["psnr_srgb"] == pytest.approx(best["psnr_srgb"], abs=0.5)


def test_a_turned_image_is_compared_upright(run, run_json, tmp_path, made):
    out = tmp_path / "out"
    linear = tifffile.imread(made / "birch" / "truth.tif")
    tifffile.imwrite(tmp_path / "tall.tif", linear, photometric="rgb")
    assert run("simulate", tmp_path / "tall.tif", "-o", tmp_path, "--linear", "--frames", 3, "--orientation", 6, "--iso", 100)[0] == 0
    options = ["--set", "finish.tone=0", "--set", "finish.sharpen=0", "--format", "tiff"]
    assert run("process", tmp_path / "tall", "-o", out, "--reference", 0, *options)[0] == 0
    by_format = [run_json("compare", out / name, tmp_path / "tall" / "truth.tif")[1]["psnr_srgb"] for name in ("tall.dng", "tall.tif")]
    assert by_format[0] == pytest.approx(by_format[1], abs=0.5) and by_format[0] > 20


def test_equal_images_are_infinitely_close(run, run_json, made):
    truth = made / "apple" / "truth.tif"
    status, out, _ = run("compare", truth, truth)
    assert status == 0 and "inf" in out and "1.0000" in out
    assert run_json("compare", truth, truth)[1]["psnr_linear"] is None


def test_another_reference_is_warned_of(run, made, tmp_path):
    assert run("process", made / "apple", "-o", tmp_path, "--reference", 2)[0] == 0
    status, _, err = run("compare", tmp_path / "apple.dng", made / "apple" / "truth.tif")
    assert status == 0 and "frame 2" in err


@pytest.mark.parametrize(("arguments", "message"), [(["--crop", "500"], "--crop"), (["--crop", "-1"], "--crop"), (["--crop", "x"], "--crop")])
def test_wrong_usage_is_2(run, made, arguments, message):
    truth = made / "apple" / "truth.tif"
    status, _, err = run("compare", truth, truth, *arguments)
    assert status == 2 and message in err


def test_sizes_must_match_and_files_must_be_there(run, made, tmp_path):
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((40, 50, 3), np.float32), photometric="rgb")
    status, _, err = run("compare", tmp_path / "small.tif", made / "apple" / "truth.tif")
    assert status == 2 and "50 x 40" in err and "192 x 160" in err
    assert run("compare", tmp_path / "nowhere.dng", made / "apple" / "truth.tif")[0] == 2


def test_only_our_linear_dng_is_an_image(run, made, upright, tmp_path):
    image = read_linear_dng(upright / "apple.dng")
    assert image.rgb.shape == (160, 192, 3) and image.rgb.dtype == np.float32 and image.orientation == 1
    assert np.allclose(image.colour.as_shot_neutral, [0.5, 1, 0.625], atol=1e-4)
    with pytest.raises(InputFileError, match="not a linear DNG"):
        read_linear_dng(made / "apple" / "frame_000.dng")
    (tmp_path / "cut.dng").write_bytes((upright / "apple.dng").read_bytes()[:5000])
    status, _, err = run("compare", tmp_path / "cut.dng", made / "apple" / "truth.tif")
    assert status == 1 and "cut.dng" in err


def test_copies_elsewhere_keep_their_colour(run_json, made, upright, tmp_path):
    """truth.tif without truth.json has no colour of its own: the images are then compared as displayed."""
    shutil.copy(made / "apple" / "truth.tif", tmp_path / "alone.tif")
    assert run_json("compare", tmp_path / "alone.tif", tmp_path / "alone.tif")[0] == 0
