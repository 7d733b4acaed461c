"""`process --format tiff32` and `--linear`: a float TIFF that `compare` can read."""

import tifffile

from burstsr.io.linear_dng import read_linear_dng


def test_linear_tiff_of_process_is_read_by_compare(run, run_json, bursts, tmp_path):
    truth, out = bursts / "apple" / "truth.tif", tmp_path / "out"
    assert run("process", bursts / "apple", "-o", out, "--reference", 1, "--format", "tiff32", "--format", "tiff")[0] == 0
    assert {p.name for p in out.iterdir()} == {"apple.dng", "apple.jpg", "apple.json", "apple.tif", "apple.linear.tif"}
    linear, dng = tifffile.imread(out / "apple.linear.tif"), read_linear_dng(out / "apple.dng").rgb
    assert abs(linear.clip(0, 1) - dng).max() < 1e-5
    by_format = [run_json("compare", out / f"apple{suffix}", truth)[1] for suffix in (".linear.tif", ".dng")]
    assert abs(by_format[0]["psnr_linear"] - by_format[1]["psnr_linear"]) < 0.05
    assert "psnr_rgb" not in by_format[0]  # both are of the camera: neither is shown first
    assert "frame 1" in run("compare", out / "apple.linear.tif", truth)[2]


def test_linear_makes_the_tiff_linear(run_json, bursts, tmp_path):
    for place, options in (("a", ["--linear"]), ("b", ["--linear", "--format", "tiff"])):
        status, result = run_json("process", bursts / "apple", "-o", tmp_path / place, "--dry-run", *options)
        assert status == 0
        assert [p.rsplit("/", 1)[1] for p in result["bursts"][0]["outputs"]] == ["apple.dng", "apple.jpg", "apple.linear.tif", "apple.json"]
