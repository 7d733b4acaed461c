"""`burstsr single`: images and raw frames, one by one and in folders. Networks are tiny and random."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from burstsr.io.display import Display, read_display, write_display
from burstsr.io.images import write_linear_tiff, write_png
from burstsr.io.linear_dng import read_linear_dng
from burstsr.io.metadata_segments import read_blocks
from burstsr.io.raw import read_frame
from cli.conftest import contents, scene

torch = pytest.importorskip("torch")

from single.descriptor import Descriptor  # noqa: E402
from single.networks import build  # noqa: E402
from single.weights_file import write_weights  # noqa: E402

LITE = {"channels": 4, "blocks": 1, "kernel": 3, "norm": False, "skip": True, "direct": True}
DESCRIPTORS = [
    Descriptor("srcnn-x2", "srcnn", 2, "y", {"kernels": [5, 3, 3], "widths": [4, 4]}, 8),
    Descriptor("srresnet-lite-x2", "srresnet", 2, "rgb", LITE, 16),
    Descriptor("srgan-lite-x2", "srresnet", 2, "rgb", LITE, 16, gan=True),
    Descriptor("zoom-lite-x2", "zoom", 2, "bayer", LITE, 16),
]


def tame(descriptor, seed):
    """A random network that changes little of what bicubic gives."""
    torch.manual_seed(seed)
    net = build(descriptor).requires_grad_(False)
    if hasattr(net, "up"):
        net.up[0].weight *= 0.1
        net.up[0].bias *= 0.1
    return net


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    """The user's folder, with a tiny network of each kind; the package's own weights out of the way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("BURSTSR_MODELS", str(folder))
    monkeypatch.setattr("single.loading.registry._BUNDLED", tmp_path / "none")
    for descriptor in DESCRIPTORS:
        write_weights(folder / f"{descriptor.name}.safetensors", tame(descriptor, 1), descriptor)
    yield folder
    torch.set_num_threads(before)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    write_png(folder / "apple.png", scene(1, 24, 30))
    write_display(folder / "birch.jpg", "jpg", Display(scene(2, 20, 28)))
    write_display(folder / "deep" / "cedar.tif", "tiff", Display(np.dstack([scene(3, 16, 20), scene(4, 16, 20)[:, :, :1]]).astype(np.uint16) * 257))
    return folder


def test_a_folder_keeps_its_shape_and_formats(run, run_json, images, tmp_path):
    out = tmp_path / "out"
    status, text, err = run("single", images, "-o", out, "--scale", 3)
    assert (status, err) == (0, "") and text.count("lanczos ->") == 3
    names = ("apple.png", "birch.jpg", "deep/cedar.tif")
    assert sorted(contents(out)) == sorted([*names, *(f"{n}.json" for n in names)])
    assert read_display(out / "deep" / "cedar.tif").pixels.shape == (48, 60, 4) and read_display(out / "deep" / "cedar.tif").pixels.dtype == np.uint16
    before = contents(out)
    status, result = run_json("single", images, "-o", out, "--scale", 3)
    assert status == 0 and [p["status"] for p in result["images"]] == ["skipped"] * 3 and contents(out) == before
    assert run("single", images, "-o", out, "--scale", 2, "--overwrite")[0] == 0
    assert read_display(out / "apple.png").pixels.shape == (48, 60, 3)


@pytest.mark.parametrize("model", ["srcnn", "srresnet", "srgan"])
@pytest.mark.parametrize("scale", [None, 1.5, 3])
def test_networks_say_that_they_learned(run_json, images, tmp_path, model, scale):
    out = tmp_path / "out"
    status, result = run_json("single", images / "apple.png", "-o", out, "--model", model, *(["--scale", scale] if scale else []))
    assert status == 0
    record = json.loads((out / "apple.png.json").read_text())
    wanted = scale or 2
    assert record["shape"] == [round(24 * wanted), round(30 * wanted)] and record["model"]["gan"] is (model == "srgan")
    assert len(record["model"]["sha256"]) == 64 and record["provenance"]["digital_source_type"] == "compositeWithTrainedAlgorithmicMedia"
    assert result["images"][0]["model"] == record["model"] and result["pictures"][0]["provenance"] == record["provenance"]
    xmp = read_blocks((out / "apple.png").read_bytes(), "x")["xmp"]
    assert b"compositeWithTrainedAlgorithmicMedia" in xmp and record["model"]["sha256"].encode() in xmp


def test_classical_models_claim_nothing(run_json, images, tmp_path):
    status, result = run_json("single", images / "apple.png", "-o", tmp_path / "out", "--model", "nearest", "--scale", 2)
    assert status == 0 and result["images"][0]["provenance"] is None
    assert "xmp" not in read_blocks((tmp_path / "out" / "apple.png").read_bytes(), "x")
    assert np.array_equal(read_display(tmp_path / "out" / "apple.png").pixels, read_display(images / "apple.png").pixels.repeat(2, 0).repeat(2, 1))


def test_one_image_may_name_its_file(run, images, tmp_path):
    assert run("single", images / "apple.png", "-o", tmp_path / "large.jpg", "--scale", 2)[0] == 0
    assert read_display(tmp_path / "large.jpg").pixels.shape == (48, 60, 3) and (tmp_path / "large.jpg.json").exists()
    assert run("single", images / "apple.png", "-o", tmp_path / "other.jpg", "--format", "png")[0] == 2


def test_failures_are_named_and_the_others_go_on(run_json, images, tmp_path):
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    shutil.copy(images / "birch.jpg", images / "birch.jpeg")
    status, result = run_json("single", images, "-o", tmp_path / "out", "--scale", 2)
    by_name = {p["name"]: p for p in result["images"]}
    assert status == 1 and sorted(result["failed"]) == ["birch.jpg", "broken.png"] or sorted(result["failed"]) == ["birch.jpeg", "broken.png"]
    assert "broken.png" in by_name["broken.png"]["reason"] and by_name["apple.png"]["status"] == "done"
    assert not [n for n in contents(tmp_path / "out") if "broken" in n or ".part" in n]


def test_a_write_that_fails_leaves_the_old_file(run_json, images, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run_json("single", images / "apple.png", "-o", out)
    before = contents(out)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("burstsr.io.display.write_display", full)
    status, result = run_json("single", images / "apple.png", "-o", out, "--scale", 2, "--overwrite")
    assert status == 1 and "No space left" in result["images"][0]["reason"] and contents(out) == before


def test_sources_are_never_overwritten(run_json, images):
    before = contents(images)
    status, result = run_json("single", images / "apple.png", "-o", images, "--overwrite")
    assert status == 1 and "overwritten by its own result" in result["images"][0]["reason"] and contents(images) == before


def test_results_inside_the_input_folder_are_no_sources(run_json, images):
    for _ in range(2):
        status, result = run_json("single", images, "-o", images / "large", "--scale", 2)
        assert status == 0 and len(result["images"]) == 3


def test_results_in_a_relative_folder_are_no_sources(run_json, images, monkeypatch):
    """Fault 11: with a relative -o below an absolute input, the next run upscaled the results of the first."""
    monkeypatch.chdir(images)
    for expected in ("done", "skipped"):
        status, result = run_json("single", images, "-o", "large", "--scale", 2)
        assert status == 0 and [p["status"] for p in result["pictures"]] == [expected] * 3


def test_results_beside_their_sources_are_no_sources(run_json, images):
    (images / "apple.png").unlink()
    for expected in ("done", "skipped"):
        status, result = run_json("single", images, "-o", images, "--scale", 2, "--format", "png", "--format", "tiff")
        assert [(p["name"], p["status"]) for p in result["pictures"] if "birch" in p["name"]] == [("birch.jpg", expected)]


def test_process_knows_results_of_single_as_its_own(run_json, made, tmp_path):
    """Fault 11: `process` looked for NAME.json, where `single` writes NAME.dng.json."""
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(2):
        shutil.copy(made / "apple" / f"frame_00{i}.dng", folder / f"a{i}.dng")
    assert run_json("single", made / "birch" / "frame_000.dng", "-o", folder, "--scale", 2)[0] == 0
    (folder / "frame_000.dng").write_bytes(b"broken")
    status, result = run_json("process", folder, "-o", tmp_path / "out", "--dry-run")
    assert status == 0 and result["refused"] == []
    assert [p["path"] for p in result["passed_over"]] == [str(folder / "frame_000.dng")] and result["bursts"][0]["frames"] == 2


@pytest.mark.parametrize("model", ["lanczos", "srresnet", "zoom"])
def test_raw_frames_become_linear_dngs(run_json, made, tmp_path, model):
    frame = made / "apple" / "frame_000.dng"
    status, result = run_json("single", frame, "-o", tmp_path / "out", "--model", model, "--scale", 2, "--format", "dng", "--format", "jpg")
    assert status == 0
    image = read_linear_dng(tmp_path / "out" / "frame_000.dng")
    info = read_frame(frame).info
    assert image.rgb.shape == (2 * info.shape[0], 2 * info.shape[1], 3)
    assert np.allclose(image.colour.as_shot_neutral, info.colour.as_shot_neutral, atol=1e-4)
    learned = model != "lanczos"
    assert result["images"][0]["provenance"]["digital_source_type"] == ("compositeWithTrainedAlgorithmicMedia" if learned else "digitalCapture")
    assert (b"compositeWithTrained" in (tmp_path / "out" / "frame_000.dng").read_bytes()) is learned
    truth = tifffile.imread(made / "apple" / "truth.tif")
    assert np.abs(image.rgb.mean((0, 1)) / truth.mean((0, 1)) - 1).max() < 0.25, "the colours are the camera's"


def test_a_raw_file_is_upscaled_with_what_calibration_knows(run_json, made, tmp_path, monkeypatch):
    """Its noise and its defects, as `process` does; before, only what the file says. The lens's blur, with which SRMD does harm, is not used."""
    import single.inference
    from burstsr.profiles.files import write_record
    from burstsr.profiles.records import DefectRecord, LensRecord, NoiseRecord

    frame, seen = made / "apple" / "frame_000.dng", []
    there = read_frame(frame)
    y, x = 20, 31
    write_record(tmp_path / "n.json", NoiseRecord("", 0.0, "", "flat fields", (2e-3,) * 3, (1e-5,) * 3))
    write_record(tmp_path / "d.json", DefectRecord("", 0.0, "", "darks", there.info.shape, ((y, x),), ()))
    write_record(tmp_path / "l.json", LensRecord("", 0.0, "", "slanted edge", 0.6, 0.1))
    upscale_frame = single.inference.upscale_frame
    monkeypatch.setattr(single.inference, "upscale_frame", lambda given, *more: seen.append(given) or upscale_frame(given, *more))
    profiles = [part for name in ("n", "d", "l") for part in ("--profile", tmp_path / f"{name}.json")]
    status, result = run_json("single", frame, "-o", tmp_path / "out", "--scale", 2, *profiles)
    assert status == 0 and seen[0].info.noise.alpha[0] == 2e-3 and seen[0].mosaic[y, x] != there.mosaic[y, x]
    record = json.loads((tmp_path / "out" / "frame_000.dng.json").read_text())
    assert set(record["known"]) == {"noise", "defects"} and len(record["asked"]["profile"]) == 3
    again = run_json("single", frame, "-o", tmp_path / "out", "--scale", 2, *profiles)[1]["images"][0]
    assert again["status"] == "skipped"
    assert run_json("single", frame, "-o", tmp_path / "out", "--scale", 2)[1]["images"][0]["status"] == "done", "another result, of another name"


def test_a_linear_dng_of_process_can_be_upscaled(run, run_json, made, tmp_path):
    assert run("process", made / "apple", "-o", tmp_path / "merged", "--scale", 1)[0] == 0
    status, _ = run_json("single", tmp_path / "merged" / "apple.dng", "-o", tmp_path / "out", "--model", "lanczos", "--scale", 2)
    assert status == 0 and read_linear_dng(tmp_path / "out" / "apple.dng").rgb.shape == (160, 192, 3)
    assert b"computationalCapture" in (tmp_path / "out" / "apple.dng").read_bytes(), "it stays what it was"
    status, result = run_json("single", tmp_path / "merged" / "apple.dng", "-o", tmp_path / "z", "--model", "zoom")
    assert status == 1 and "already demosaiced" in result["images"][0]["reason"]


def test_linear_images_stay_linear(run_json, tmp_path):
    write_linear_tiff(tmp_path / "light.tif", np.full((10, 12, 3), 1.7, np.float32))
    status, _ = run_json("single", tmp_path / "light.tif", "-o", tmp_path / "out", "--scale", 2)
    found = tifffile.imread(tmp_path / "out" / "light.tif")
    assert status == 0 and found.dtype == np.float32 and np.abs(found - 1.7).max() < 1e-3
    assert run_json("single", tmp_path / "light.tif", "-o", tmp_path / "out", "--format", "png")[0] == 1
    assert run_json("single", tmp_path / "light.tif", "-o", tmp_path / "learned", "--model", "srresnet")[0] == 0
    assert b"compositeWithTrained" in (tmp_path / "learned" / "light.tif").read_bytes()


def test_weights_are_mixed(run, run_json, images, tmp_path, models):
    arguments = ("single", images / "apple.png", "-o", tmp_path / "out", "--model", "srgan", "--overwrite")
    status, result = run_json(*arguments, "--blend", 0.5)
    assert status == 0 and result["images"][0]["model"]["name"] == "0.5 srgan-lite-x2 + 0.5 srresnet-lite-x2"
    write_weights(models / "stranger.safetensors", tame(DESCRIPTORS[1], 9), DESCRIPTORS[1])
    status, _, err = run(*arguments, "--blend", f"0.5,{models / 'stranger.safetensors'}")
    assert status == 2 and "unrelated weights" in err
    assert run("single", images, "-o", tmp_path / "out", "--model", "srcnn", "--blend", 0.5)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nonesuch"], "unknown; must be one of"),
        (["--model", "gone.pth"], "no such file"),
        (["--scale", "0"], "--scale must be"),
        (["--blend", "2"], "weight of the model"),
        (["--tile", "3"], "--tile must be"),
        (["--model", "zoom"], "raw mosaics"),
        (["--format", "dng"], "must be png, tiff or jpg, not dng"),
    ],
)
def test_wrong_usage_is_named(run, images, tmp_path, arguments, message):
    status, _, err = run("single", images / "apple.png", "-o", tmp_path / "out", *arguments)
    assert status in (1, 2) and message in err


def test_what_is_not_upscaled_is_said(run_json, tmp_path, caplog):
    """Of a file of several pages the first is upscaled; how many are left is logged and recorded."""
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for n in range(3):
            file.write(scene(n, 16, 20), photometric="rgb")
    status, _ = run_json("single", tmp_path / "pages.tif", "-o", tmp_path / "out", "--model", "bicubic", "--scale", "2")
    assert status == 0 and "3 frames or pages; only the first" in caplog.text
    assert json.loads((tmp_path / "out" / "pages.tif.json").read_text())["frames_left"] == 2


def test_models_are_listed_and_input_is_required(run, run_json, tmp_path):
    models = {model["name"]: model for model in run_json("single", "--list")[1]["models"]}
    assert models["lanczos"]["installed"] and models["srgan"]["scales"] == [2] and models["srgan"]["missing"] == ""
    status, out, _ = run("single", "--list")
    assert status == 0 and "bicubic: any scale" in out
    assert run("single", "-o", tmp_path)[0] == 2


def test_of_nothing_is_2(run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run("single", tmp_path / "empty", "-o", tmp_path / "out")[0] == 2
    assert run("single", tmp_path / "nowhere", "-o", tmp_path / "out")[0] == 2


def test_classical_models_need_no_torch(images, tmp_path):
    """As where the extra is not installed: torch cannot be found."""
    script = (
        "import sys\nfrom importlib.abc import MetaPathFinder\n"
        "class Gone(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'safetensors'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Gone())\nimport importlib.util as u\nreal = u.find_spec\n"
        "u.find_spec = lambda n, p=None: None if n in ('torch', 'safetensors') else real(n, p)\n"
        "from burstsr.cli import main\nimport single\nsys.exit(main(sys.argv[1:]))"
    )

    def call(*arguments):
        command = [sys.executable, "-c", script, "single", str(images / "apple.png"), "-o", str(tmp_path / "out"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert call("--model", "bicubic").returncode == 0
    without = call("--model", "srcnn", "--overwrite")
    assert without.returncode == 2 and "pip install 'burstsr[single]'" in without.stderr


class TestFallback:
    """`process --fallback`."""

    @pytest.fixture
    def one(self, made, tmp_path):
        folder = tmp_path / "one"
        folder.mkdir()
        shutil.copy(made / "apple" / "frame_000.dng", folder)
        return folder

    @pytest.fixture
    def tripod(self, run, tmp_path):
        write_png(tmp_path / "still.png", scene(5, 120, 128))
        assert run("simulate", tmp_path / "still.png", "-o", tmp_path / "tripod", "--frames", 3, "--motion", "tripod")[0] == 0
        return tmp_path / "tripod" / "still"

    def test_the_default_adds_nothing(self, run_json, one, tmp_path):
        assert run_json("process", one, "-o", tmp_path / "out")[0] == 0
        record = json.loads((tmp_path / "out" / "one.json").read_text())
        assert record["fallback"] == {"method": "merge", "why": "one frame", "learned": False}
        assert record["provenance"]["digital_source_type"] == "digitalCapture" and record["settings_asked"]["fallback"] == "merge"

    def test_merges_are_computational_captures(self, run, made, tmp_path):
        assert run("process", made / "apple", "-o", tmp_path, "--fallback", "srgan", "--format", "png")[0] == 0
        record = json.loads((tmp_path / "apple.json").read_text())
        assert record["provenance"]["digital_source_type"] == "computationalCapture" and "fallback" not in record and record["subpixel_phases"] > 1
        for name in ("apple.dng", "apple.jpg", "apple.png"):
            assert b"computationalCapture" in (tmp_path / name).read_bytes() and b"Trained" not in (tmp_path / name).read_bytes()

    @pytest.mark.parametrize("fallback", ["srcnn", "srgan", "zoom"])
    def test_one_frame_through_a_network(self, run, one, tmp_path, fallback):
        status, out, _ = run("process", one, "-o", tmp_path / "out", "--fallback", fallback)
        assert status == 0 and f"one frame: upscaled by {fallback}" in out and ("invents detail" in out) is (fallback == "srgan")
        record = json.loads((tmp_path / "out" / "one.json").read_text())
        assert record["fallback"]["method"] == fallback and len(record["fallback"]["sha256"]) == 64
        assert record["provenance"]["digital_source_type"] == "compositeWithTrainedAlgorithmicMedia"
        assert b"compositeWithTrainedAlgorithmicMedia" in (tmp_path / "out" / "one.dng").read_bytes()
        assert read_linear_dng(tmp_path / "out" / "one.dng").rgb.shape == (160, 192, 3)
        assert "other settings" in run("process", one, "-o", tmp_path / "out")[1]

    @pytest.mark.parametrize("fallback", ["srresnet", "zoom"])
    def test_a_tripod_burst_is_merged_first(self, run, tripod, tmp_path, fallback):
        status, out, _ = run("process", tripod, "-o", tmp_path / "out", "--fallback", fallback)
        assert status == 0 and f"no sub-pixel phase: upscaled by {fallback}" in out
        record = json.loads((tmp_path / "out" / "still.json").read_text())
        assert record["fallback"]["why"] == "no sub-pixel phase" and len(record["frames"]) == 3
        assert read_linear_dng(tmp_path / "out" / "still.dng").rgb.shape == (120, 128, 3)

    def test_a_file_of_weights_is_a_fallback(self, run, one, tmp_path, models):
        status, out, _ = run("process", one, "-o", tmp_path / "out", "--fallback", models / "srresnet-lite-x2.safetensors")
        assert status == 0 and "one frame: upscaled by srresnet-lite-x2" in out
        status, _, err = run("process", one, "-o", tmp_path / "out2", "--fallback", "nothing.pth")
        assert status == 2 and "or a file of weights, not 'nothing.pth'" in err

    def test_none_refuses_single_frames_alone(self, run, one, tripod, tmp_path):
        status, _, err = run("process", one, "-o", tmp_path / "out", "--fallback", "none")
        assert status == 1 and "one frame, and --fallback none" in err and not list((tmp_path / "out").glob("one*"))
        assert run("process", tripod, "-o", tmp_path / "out", "--fallback", "none")[0] == 0

    def test_missing_weights_are_reported_before_anything_is_done(self, run, one, tmp_path, models):
        shutil.rmtree(models)
        status, _, err = run("process", one, "-o", tmp_path / "out", "--fallback", "srgan")
        assert status == 2 and "no weights are installed" in err and not (tmp_path / "out").exists()

    def test_at_scale_1_there_is_nothing_to_fall_back_to(self, run, one, tmp_path):
        assert run("process", one, "-o", tmp_path / "out", "--fallback", "srgan", "--scale", 1)[0] == 0
        assert "fallback" not in json.loads((tmp_path / "out" / "one.json").read_text())


@pytest.mark.parametrize(
    ("frames", "subpixel_phases", "scale", "expected"),
    [
        ([(True, 1.0)], 1, 2.0, "one frame"),
        ([(True, 1.0), (False, 0.01), (False, 0.0)], 3, 2.0, "one usable frame"),
        ([(True, 1.0), (False, 0.9)], 1, 2.0, "no sub-pixel phase"),
        ([(True, 1.0), (False, 0.9)], 2, 2.0, ""),
        ([(True, 1.0)], 1, 1.0, ""),
    ],
)
def test_when_a_burst_is_no_burst(frames, subpixel_phases, scale, expected):
    from burstsr.batch.fallback import reason
    from burstsr.core.result import Result

    report = {"frames": [{"reference": r, "robustness": t} for r, t in frames], "subpixel_phases": subpixel_phases}
    assert reason(Result(np.zeros((2, 2, 3), np.float32), None, scale, report=report), scale) == expected
