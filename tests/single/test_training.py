import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from burstsr.cli import main  # noqa: E402
from burstsr.core.errors import BurstsrError, InputFileError, OutputError, SettingsError  # noqa: E402
from burstsr.io.images import write_png  # noqa: E402
from single.catalogue import CATALOGUE  # noqa: E402
from single.data import Degradation, ImagePairs, PatchDataset  # noqa: E402
from single.descriptor import Descriptor  # noqa: E402
from single.training.loop import Training  # noqa: E402
from single.training.plan import Plan  # noqa: E402
from single.training.presets import preset  # noqa: E402
from single.training.validation import Validation  # noqa: E402
from single.weights_file import read_header, read_weights, write_weights  # noqa: E402

TINY = Descriptor("tiny-x2", "srcnn", 2, "y", {"kernels": [3, 1, 3], "widths": [4, 4]}, 8)
TINY_RGB = Descriptor("tiny-rgb-x2", "srresnet", 2, "rgb", {"channels": 8, "blocks": 1, "kernel": 3, "norm": False, "skip": True, "direct": True}, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for i in range(3):
        coarse = generator.random((12, 16, 3))
        write_png(place / f"{i}.png", (255 * np.kron(coarse, np.ones((6, 6, 1)))).astype(np.uint8))
    return place


def _training(folder, out, descriptor=TINY, start="", **changes):
    pairs = ImagePairs(PatchDataset([folder]), descriptor.scale, Degradation(), descriptor.input == "y")
    plan = Plan(descriptor, **{"steps": 6, "batch": 2, "patch_px": 12, "validate_every": 2, "bf16": False, "threads": 1, **changes})
    return Training(plan, pairs, Validation(pairs, 2, 16), out, start)


def test_training_lowers_the_loss(folder, tmp_path):
    training = _training(folder, tmp_path, TINY_RGB, steps=60, rate=3e-3, validate_every=20)
    before, _ = training.validation.measure(training.average)
    assert training.run() > before + 0.3


def test_a_stopped_training_ends_as_an_unbroken_one(folder, tmp_path):
    whole = _training(folder, tmp_path / "whole")
    whole.run()
    part = _training(folder, tmp_path / "part")
    part.plan = Plan(**{**part.plan.__dict__})
    with pytest.raises(KeyboardInterrupt):
        part.run(lambda line: (_ for _ in ()).throw(KeyboardInterrupt) if line["step"] == 4 else None)
    again = _training(folder, tmp_path / "part")
    assert again.step == 4
    again.run()
    for a, b in zip(whole.average.state_dict().values(), again.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    with (tmp_path / "part" / "log.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [2, 4, 6]


def test_the_order_in_memory_changes_rounding_alone_and_is_kept(folder, tmp_path, monkeypatch):
    """Channels last is as fast or faster by network and device; a training that goes on keeps what it measured."""
    ends = [_training(folder, tmp_path / f"{order}", TINY_RGB, channels_last=order) for order in (False, True)]
    for training in ends:
        training.run()
    for a, b in zip(*(t.average.state_dict().values() for t in ends), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    weights = ends[1].net.blocks[0].body[0].weight
    assert weights.is_contiguous(memory_format=torch.channels_last) and not weights.is_contiguous()
    monkeypatch.setattr("single.training.loop.faster_in_channels_last", lambda *_: pytest.fail("measured"))
    again = _training(folder, tmp_path / "True", TINY_RGB, steps=1000)
    assert again.step == 6 and again.channels_last is True
    short = _training(folder, tmp_path / "short", TINY_RGB)
    short.run()
    assert short.channels_last is False, "six passes more are no gain"


@pytest.mark.parametrize(("last", "expected"), [(0.5, True), (0.95, False), (2.0, False)])
def test_the_order_in_memory_is_that_which_is_faster_by_a_tenth(monkeypatch, last, expected):
    from contextlib import nullcontext

    from single.networks import build
    from single.training import memory_format

    clock = [0.0]

    def passes(images, order):
        clock[0] += last if order else 1.0
        return images

    monkeypatch.setattr(memory_format, "laid_out", passes)
    monkeypatch.setattr(memory_format.time, "perf_counter", lambda: clock[0])
    net = build(TINY_RGB)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    assert memory_format.faster_in_channels_last(net, torch.rand(1, 3, 8, 8), nullcontext) is expected
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items()) and all(p.grad is None for p in net.parameters())


def test_a_checkpoint_of_another_plan_is_refused(folder, tmp_path):
    _training(folder, tmp_path, steps=2).run()
    with pytest.raises(SettingsError, match=r"checkpoint.pt.*different settings \(batch"):
        _training(folder, tmp_path, steps=2, batch=3)


def test_a_broken_checkpoint_is_refused(folder, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    with pytest.raises(InputFileError, match=r"checkpoint\.pt"):
        _training(folder, tmp_path)


@pytest.mark.parametrize("name", ["best.safetensors", "log.csv", "validation.png"])
def test_training_replaces_only_what_it_wrote(folder, tmp_path, name):
    (tmp_path / name).write_bytes(b"the user's own")
    with pytest.raises(OutputError, match=name):
        _training(folder, tmp_path, steps=2)
    assert [p.name for p in tmp_path.iterdir()] == [name] and (tmp_path / name).read_bytes() == b"the user's own"


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(folder, tmp_path):
    _training(folder, tmp_path, steps=2)
    (tmp_path / "best.safetensors").write_bytes(b"written before the checkpoint")
    _training(folder, tmp_path, steps=2).run()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2


def test_a_gan_starts_from_a_trained_network_and_moves_it(folder, tmp_path):
    with pytest.raises(SettingsError, match="--start"):
        _training(folder, tmp_path / "gan", TINY_RGB, gan=True)
    _training(folder, tmp_path / "pixel", TINY_RGB, steps=2).run()
    start = tmp_path / "pixel" / "best.safetensors"
    gan = _training(folder, tmp_path / "gan", TINY_RGB, start, gan=True, steps=2, patch_px=16, discriminator_width=4)
    gan.run()
    before, after = read_weights(start)[0], read_weights(tmp_path / "gan" / "best.safetensors")[0]
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_esrgan_is_trained_and_interpolated(folder, tmp_path, capsys):
    """L1 stage, GAN stage from it, and the interpolation of both (Wang 2018), on tiny networks, from the classes that the command line uses."""
    from single.blend import blended
    from single.loading import find, load

    pixel = Descriptor("rrdb-lite-x4", "rrdb", 4, "rgb", {"channels": 4, "blocks": 1, "growth": 4}, 24)
    gan = Descriptor("esrgan-lite-x4", "rrdb", 4, "rgb", pixel.sizes, 24, gan=True)
    _training(folder, tmp_path / "rrdb-lite-x4", pixel, steps=2, patch_px=8).run()
    start = tmp_path / "rrdb-lite-x4" / "best.safetensors"
    stage = _training(folder, tmp_path / "esrgan", gan, start, gan=True, steps=2, patch_px=8, **{k: v for k, v in LOSSES.items() if k != "perceptual_weight"})
    assert (stage.plan.rate, stage.plan.pixel_weight, stage.plan.discriminator_width, stage.plan.discriminator_dense) == (1e-4, 0.01, 24, 256)
    stage.run()
    ends = [load(find(tmp_path / name / "best.safetensors")) for name in ("esrgan", "rrdb-lite-x4")]
    x = torch.rand(1, 3, 8, 8)
    outputs = [end.network(x) for end in ends]
    middle = blended(*ends, 0.5)
    assert middle.descriptor.gan and not any(torch.equal(middle.network(x), output) for output in outputs) and not torch.equal(*outputs)


LOSSES = preset("published-losses", CATALOGUE["esrgan-x4"])


def test_presets_follow_their_papers():
    assert LOSSES == {
        "loss": "l1", "pixel_weight": 0.01, "perceptual_weight": 1.0, "adversarial_weight": 0.005, "relativistic": True, "before_activation": True,
    }  # fmt: skip
    for name, descriptor in CATALOGUE.items():
        found = preset("paper", descriptor)
        plan = Plan(descriptor, gan=descriptor.gan, vgg="some.pth", **found)
        assert plan.rate <= 2e-4 and (plan.loss == "mse") == (descriptor.architecture in ("srcnn", "srresnet")), name
    full = Plan(CATALOGUE["esrgan-x4"], gan=True)
    assert (full.discriminator_width, full.discriminator_dense, full.rate, Plan(CATALOGUE["rrdb-x4"]).rate) == (64, 1024, 1e-4, 1e-3)


def test_srcnn_may_start_as_its_paper_does(folder, tmp_path):
    ours, paper = (_training(folder, tmp_path / str(start), paper_start=start).net.state_dict() for start in (False, True))
    assert float(ours["layers.0.weight"].abs().max()) == 1 and float(paper["layers.0.weight"].abs().max()) < 0.01


@pytest.mark.parametrize("kind", ["pth", "other scale"])
def test_training_starts_from_weights_of_any_kind(folder, tmp_path, kind):
    from single.networks import build

    rrdb = Descriptor("rrdb-lite-x4", "rrdb", 4, "rgb", {"channels": 4, "blocks": 1, "growth": 4}, 24)
    if kind == "pth":
        net, path, wanted = build(rrdb), tmp_path / "RRDB_PSNR.pth", rrdb
        torch.save({"params_ema": net.state_dict()}, path)
    else:
        net, path, wanted = build(TINY_RGB), tmp_path / "x2.safetensors", replace(TINY_RGB, name="tiny-rgb-x4", scale=4)
        write_weights(path, net, TINY_RGB)
    state = _training(folder, tmp_path / "out", wanted, path, patch_px=8).net.state_dict()
    same = [torch.equal(state[key], value) for key, value in net.state_dict().items() if not key.startswith("up.")]
    assert all(same)


def test_weights_know_their_network(tmp_path):
    from single.networks import build

    net = build(TINY)
    write_weights(tmp_path / "w.safetensors", net, TINY, {"data": "none"})
    state, descriptor = read_weights(tmp_path / "w.safetensors")
    assert descriptor == TINY and read_header(tmp_path / "w.safetensors") == (TINY, {"data": "none"})
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    (tmp_path / "no.safetensors").write_bytes(b"\0" * 40)
    for reader in (read_header, read_weights):
        with pytest.raises(InputFileError, match=r"no\.safetensors"):
            reader(tmp_path / "no.safetensors")


def test_half_precision_weights_are_near(tmp_path):
    from single.networks import build

    net = build(TINY)
    write_weights(tmp_path / "w.safetensors", net, TINY, half=True)
    state, _ = read_weights(tmp_path / "w.safetensors")
    assert all(torch.allclose(state[name], value, atol=1e-3) and state[name].dtype == torch.float32 for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"), [({"steps": 0}, "steps must be between 1"), ({"loss": "huber"}, "l1.*huber"), ({"perceptual_weight": 1.0}, "--vgg")]
)
def test_a_wrong_plan_is_refused(change, words):
    with pytest.raises(SettingsError, match=words):
        Plan(TINY, **change)


def test_the_command_trains_and_reports_it(folder, tmp_path, capsys):
    line = ["train", "srcnn-lite-x2", "--data", str(folder), "-o", str(tmp_path), "--steps", "2", "--batch", "1", "--patch-px", "12", "--threads", "1"]
    assert main([*line, "--validate-every", "1", "--json"]) == 0
    message = json.loads(capsys.readouterr().out)
    assert message["steps"] == 2 and (tmp_path / "best.safetensors").is_file() and (tmp_path / "validation.png").is_file()
    assert read_header(tmp_path / "best.safetensors")[0].name == "srcnn-lite-x2"


@pytest.mark.parametrize(
    ("line", "words"), [(["vdsr-x4"], "MODEL must be one of"), (["srcnn-x4"], "--data"), (["srcnn-x4", "--raw-data", "x"], "requires a zoom model")]
)
def test_wrong_commands_say_what_is_allowed(line, words, capsys):
    assert main(["train", *line]) == 2
    assert words in capsys.readouterr().err


def test_published_weights_say_how_they_were_made(folder, tmp_path):
    from single.training.export_weights import export_weights

    _training(folder, tmp_path / "run", steps=2).run()
    path = export_weights(tmp_path / "run", tmp_path, "burstsr train tiny", "three pictures")
    descriptor, facts = read_header(path)
    assert descriptor == TINY and facts["command"] == "burstsr train tiny" and facts["data"] == "three pictures" and "val_psnr" in facts
    assert path.with_suffix(".csv").read_text().startswith("step,")
    assert path.stat().st_size < (tmp_path / "run" / "best.safetensors").stat().st_size


def _line(folder, out, *more):
    return ["train", "srcnn-lite-x2", "--data", str(folder), "-o", str(out), "--steps", "1", "--batch", "1", "--patch-px", "12", *map(str, more)]


def test_training_into_a_file_or_an_unwritable_folder_is_reported(folder, tmp_path, capsys):
    """And before anything is read or computed."""
    (tmp_path / "file").write_text("mine")
    for out, words in ((tmp_path / "file", "is a file; must be a folder"), (tmp_path / "file" / "below", "cannot be written")):
        assert main(_line(tmp_path / "no-data", out)) == 1
        assert words in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["foo", "cuda:x", "cpu:1", "cuda:99", "mps:0"])
def test_a_device_that_is_not_there_is_reported(folder, tmp_path, capsys, name):
    assert main(_line(folder, tmp_path / "out", "--device", name)) == 2
    assert "--device" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("written", ["checkpoint.pt", "best.safetensors"])
def test_training_onto_a_full_disk_is_reported(folder, tmp_path, capsys, monkeypatch, written):
    real = Path.write_bytes

    def full(path, data):
        if path.suffix == Path(written).suffix:
            raise OSError(28, "No space left on device")
        return real(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(_line(folder, tmp_path / "out")) == 1
    assert f"{written}: cannot be written (No space left on device)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--data", "missing.png"], "missing.png: no such file or folder"),
        (["--data", "notes.txt"], "notes.txt: no image of at least"),
        (["--start", "other.safetensors"], "of tiny-rgb-x2 and do not fit srcnn-lite-x2"),
        (["--start", "notes.txt"], "notes.txt: not a file of weights"),
    ],
)
def test_files_that_are_no_training_data_are_reported(folder, tmp_path, capsys, monkeypatch, more, words):
    from single.networks import build

    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("notes")
    write_weights("other.safetensors", build(TINY_RGB), TINY_RGB)
    assert main([*_line(folder, "out"), *more]) == 1
    assert words in capsys.readouterr().err


def test_raw_data_that_is_a_file_is_reported(folder, tmp_path, capsys):
    assert main(["train", "zoom-lite-x2", "--raw-data", str(folder / "0.png"), "-o", str(tmp_path / "out")]) == 1
    assert "is a file; must be a folder of raw files" in capsys.readouterr().err


def test_a_nan_loss_and_exhausted_memory_are_reported(folder, tmp_path, monkeypatch):
    training = _training(folder, tmp_path)
    monkeypatch.setattr(training, "_advance", lambda given, wanted: (float("nan"), 0.0))
    with pytest.raises(BurstsrError, match="smaller --rate"):
        training.run()

    def too_much(given, wanted):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(training, "_advance", too_much)
    with pytest.raises(BurstsrError, match="not enough memory for --batch 2"):
        training.run()


def test_a_damaged_log_or_checkpoint_is_named(folder, tmp_path):
    training = _training(folder, tmp_path, steps=2)
    training.run()
    (tmp_path / "log.csv").write_text("step\nx\n")
    with pytest.raises(InputFileError, match=r"log\.csv: not a training log"):
        _training(folder, tmp_path, steps=4).run()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    torch.save({**state, "net": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(InputFileError, match=r"checkpoint\.pt: damaged checkpoint"):
        _training(folder, tmp_path, steps=4)


def test_bfloat16_is_chosen_by_the_device_that_trains(folder, tmp_path, monkeypatch):
    """Fault 8: a GPU that is there, but not used, made the CPU emulate bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("single.training.loop.multiplies_bf16", lambda device: device.type == "cuda")
    assert not _training(folder, tmp_path / "auto", device="cpu", bf16=None).bf16
    assert _training(folder, tmp_path / "on", device="cpu", bf16=True).bf16
