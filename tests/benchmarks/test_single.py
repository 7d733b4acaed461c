"""`benchmark single` on images and photographs of a few pixels, without networks but a tiny one."""

import json

import numpy as np
import pytest
from cli.conftest import scene

from benchmarks import single, single_raw, single_table
from benchmarks.single_models import HELD_BACK
from burstsr.io.images import write_jpeg, write_png

torch = pytest.importorskip("torch")

from single.descriptor import Descriptor  # noqa: E402
from single.networks import build  # noqa: E402
from single.weights_file import write_weights  # noqa: E402


@pytest.fixture
def small_data(tmp_path, monkeypatch):
    """A folder of test data, and one of weights with one network."""
    for name in single.SETS:
        (tmp_path / "testsets" / name).mkdir(parents=True)
        write_png(tmp_path / "testsets" / name / "a.png", scene(1, 62, 65))
    (tmp_path / "testsets" / "Kodak24").mkdir()
    (tmp_path / "photos").mkdir()
    for name in HELD_BACK:
        write_jpeg(tmp_path / "photos" / f"{name}.jpg", scene(2, 160, 200))
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv("BURSTSR_MODELS", str(models))
    monkeypatch.setattr("single.loading.registry._BUNDLED", tmp_path / "none")
    sizes = {"channels": 4, "blocks": 1, "kernel": 3, "norm": False, "skip": True, "direct": True}
    for descriptor in (Descriptor("srresnet-lite-x4", "srresnet", 4, "rgb", sizes, 16), Descriptor("zoom-lite-x2", "zoom", 2, "bayer", sizes, 16)):
        write_weights(models / f"{descriptor.name}.safetensors", build(descriptor), descriptor)
    return tmp_path


def test_the_table_names_what_is_there_and_what_is_not(small_data, capsys):
    from burstsr.cli import main

    assert main(["benchmark", "single", "--quick", "--models", "bicubic,srresnet,srcnn", "--sections", "sets,raw", "--data", str(small_data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(r["set"], r["model"]) for r in found["sets"]] == [("Set5", "bicubic"), ("Set5", "srresnet-lite-x4")]
    assert all(np.isfinite(r["psnr_y"]) and 0 < r["ssim_y"] <= 1 and r["gradient"] > 0 for r in found["sets"])
    assert [set(r["psnr_srgb"]) for r in found["zoom"]] == [{*single_raw.CLASSICAL, single_raw.OURS, "zoom"}] * 2
    assert found["tiles"][0]["difference"] < 1 / 255 and any("srcnn" in note for note in found["notes"])
    assert {"srresnet-lite-x4, Set5: at least 30.8 dB", "srresnet-lite-x4: tiled equals untiled to 1/255 in 32 bits"} <= {g["target"] for g in found["targets"]}
    assert main(["benchmark", "single", "--quick", "--models", "bicubic", "--sections", "sets", "--data", str(small_data)]) == 0
    assert "| Set5" in capsys.readouterr().out


def test_every_fallback_that_is_there_is_measured(small_data, capsys):
    """At x2, where the networks of the folder serve bursts that have one sub-pixel phase, or one frame."""
    from burstsr.cli import main

    assert main(["benchmark", "single", "--quick", "--sections", "fallback", "--data", str(small_data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["kind"] for r in found["fallbacks"]] == ["one frame", "tripod"]
    assert {"Lanczos", "merge", "zoom", "srresnet"} <= set(found["fallbacks"][0]["psnr_srgb"]) and found["sets"] == found["zoom"] == []
    one, tripod = (r["psnr_srgb"] for r in found["fallbacks"])
    assert one["Lanczos"] == tripod["Lanczos"] and all(np.isfinite(value) for value in tripod.values())
    assert main(["benchmark", "single", "--sections", "other", "--data", str(small_data)]) == 2


def test_gradients_measure_sharpness():
    gradient = np.mgrid[:5, :6][0] * 0.1
    assert single.gradient(gradient) == pytest.approx(0.1) and single.gradient(np.zeros((4, 4))) == 0


def test_targets_are_met_or_not():
    srresnet = {"set": "Set5", "scale": 4, "model": "srresnet-lite-x4", "psnr_y": 31.0, "gradient": 0.8}
    gan = {"set": "Set5", "scale": 4, "model": "srgan-lite-x4", "psnr_y": 29.0, "gradient": 1.0}
    goals = single_table.targets(single.Result([srresnet, gan], [], [], []))
    assert [met for _, _, met in goals] == [True, True]
    goals = single_table.targets(single.Result([{**srresnet, "psnr_y": 30.7}, {**gan, "gradient": 0.7}], [], [], []))
    assert [met for _, _, met in goals] == [False, False]
