"""Networks of other projects through the real spandrel: small ones of random weights."""

import logging
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from burstsr.core.errors import InputFileError, SettingsError
from single.inference import Request, make_upscaler
from single.loading import find, load

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:torch.meshgrid")  # of networks that the tests build themselves
if find_spec("spandrel") is None:
    pytest.skip("spandrel is not installed", allow_module_level=True)

from single.inference.runner import Runner  # noqa: E402
from single.loading.foreign import imported  # noqa: E402


@pytest.fixture(scope="module")
def spandrel():
    return imported()


@pytest.fixture(scope="module")
def span(spandrel, tmp_path_factory):
    """A file of a SPAN network, x2, and what spandrel makes of it."""
    from spandrel.architectures.SPAN import SPAN

    torch.manual_seed(1)
    net = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2).requires_grad_(False)
    net.upsampler[0].weight *= 0.05  # random weights would make all black or white
    return _file(spandrel, net, tmp_path_factory.mktemp("span") / "span.pth")


@pytest.fixture(scope="module")
def safmn(spandrel, tmp_path_factory):
    """The same of a SAFMN, whose input's sides must be multiples of 8."""
    from spandrel.architectures.SAFMN import SAFMN

    torch.manual_seed(1)
    return _file(spandrel, SAFMN(dim=8, n_blocks=1, upscaling_factor=2), tmp_path_factory.mktemp("safmn") / "safmn.pth")


@pytest.fixture(scope="module")
def swinir(spandrel, tmp_path_factory):
    """The same of a SwinIR, whose windows are of 8 pixels, and which is not to be tiled."""
    from spandrel.architectures.SwinIR import SwinIR

    sizes = {"embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "mlp_ratio": 2.0}
    torch.manual_seed(1)
    net = SwinIR(img_size=16, upscale=2, upsampler="pixelshuffledirect", **sizes)
    return _file(spandrel, net, tmp_path_factory.mktemp("swinir") / "swinir.pth")


def _file(spandrel, net, path):
    torch.save({"params": net.state_dict()}, path)
    return path, spandrel.ModelLoader(device="cpu").load_from_state_dict(net.state_dict()).eval()


def _image(height, width):
    return np.random.default_rng(0).random((height, width, 3), np.float32)


@pytest.mark.parametrize("kind", ["span", "safmn", "swinir"])
def test_an_image_of_any_size_becomes_what_spandrel_makes_of_it(kind, request):
    """Its own padding: the edge was repeated to the next multiple, and the least size was not asked for."""
    path, theirs = request.getfixturevalue(kind)
    image = _image(19, 21)
    ours = make_upscaler(Request(str(path), back_projection="off"))
    expected = theirs(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert ((expected > 0) & (expected < 1)).mean() > 0.1
    planes = ours.run(np.ascontiguousarray(image.transpose(2, 0, 1)))
    np.testing.assert_allclose(planes.transpose(1, 2, 0), expected, atol=1e-4)
    assert (ours.scale, ours.model.learned, ours.model.gan) == (2.0, True, True)


def test_tiles_leave_no_seams(span):
    loaded = load(find(str(span[0])))
    planes = np.ascontiguousarray(_image(150, 140).transpose(2, 0, 1))
    whole, tiles = (Runner(loaded, "cpu", tile, bf16=False)(planes) for tile in (4096, 64))
    assert loaded.tiling == "supported" and np.abs(whole - tiles).max() < 1 / 255


def test_a_network_that_looks_at_the_whole_image_is_not_tiled_by_itself(swinir, monkeypatch, caplog):
    loaded = load(find(str(swinir[0])))
    assert loaded.tiling == "discouraged"
    planes, seen = np.zeros((3, 40, 48), np.float32), []
    runner = Runner(loaded, "cpu")
    runner.tile = 16
    monkeypatch.setattr(runner, "_whole", lambda given: seen.append(given.shape) or np.zeros((3, 2 * given.shape[1], 2 * given.shape[2]), np.float32))
    runner(planes)
    assert seen == [(3, 40, 48)]
    monkeypatch.setattr("single.inference.runner._ONE_PIECE_OUTPUT_PX", 1000)
    with caplog.at_level(logging.WARNING):
        runner(planes)
    assert len(seen) > 2 and "too large for one piece" in caplog.text


def test_crops_of_faces_are_refused_with_other_models(span):
    with pytest.raises(SettingsError, match="--face: span.* is not a model of faces"):
        make_upscaler(Request(str(span[0]), faces=((0, 0, 32, 32),)))


def test_weights_that_spandrel_does_not_know_are_named(spandrel, tmp_path):
    torch.save({"other.weight": torch.zeros(2, 2)}, tmp_path / "odd.pth")
    with pytest.raises(InputFileError, match=r"odd\.pth: .*unknown to spandrel too \(other.weight"):
        load(find(str(tmp_path / "odd.pth")))


def test_nothing_is_left_in_the_place_of_torchvision(spandrel):
    """It is only stood in for while spandrel is imported, where it is missing or does not fit torch."""
    assert "spandrel" in sys.modules
    found = sys.modules.get("torchvision")
    assert found is None or hasattr(found, "__version__")
