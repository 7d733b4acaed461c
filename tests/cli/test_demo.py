import numpy as np
import pytest

from burstsr.cli import demo
from burstsr.cli.simulated_files import write_simulated
from burstsr.io.images import read_image
from burstsr.quality import baseline
from burstsr.simulate import SimulateSettings, simulate_burst


def test_demo_beats_one_frame(run_json, tmp_path):
    status, result = run_json("demo", tmp_path / "demo")
    assert status == 0
    single, burst = result["figures"].values()
    assert burst["psnr_srgb"] > single["psnr_srgb"] + 1 and burst["ssim"] > single["ssim"]
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["burst", "coffee.dng", "coffee.jpg", "coffee.json", "side_by_side.png"]
    assert read_image(result["side_by_side"]).rgb.shape == (demo.CROP_PX + 24, 3 * demo.CROP_PX, 3)


def test_demo_is_repeated_and_reports_its_figures(run, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "FRAMES", 2)
    for _ in range(2):
        status, out, _ = run("demo", tmp_path / "demo")
        assert status == 0 and baseline.NAME in out and "burst of 2" in out and "side_by_side.png" in out


def test_demo_without_its_image_states_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "IMAGE", "nowhere.png")
    status, _, err = run("demo", tmp_path / "demo")
    assert status == 1 and "nowhere.png" in err and "simulate" in err


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_the_baseline_has_the_geometry_and_the_brightness_of_the_truth(tmp_path, scale):
    y, x = np.mgrid[:96, :120] / 120.0
    light = np.stack([0.1 + 0.3 * x, 0.2 + 0.5 * y, 0.15 + 0.2 * x * y], -1).astype(np.float32)
    settings = SimulateSettings(frames=1, scale=scale, noise=None, iso=100, linear=True, blur_sigma_px=0)
    simulated = simulate_burst(light, settings, np.random.default_rng(0))
    (path,) = write_simulated(tmp_path / "ramp", simulated, 0)
    image = baseline.single_frame(path, simulated.burst.info.colour.as_shot_neutral, scale)
    assert image.shape == simulated.truth.shape and image.dtype == np.float32
    error = (image - simulated.truth)[8:-8, 8:-8]
    # a shift of 0.5 output pixels would be 0.001 in red and 0.002 in green
    assert np.abs(error.mean((0, 1))).max() < 1e-3
