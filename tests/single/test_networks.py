import pytest

torch = pytest.importorskip("torch")

from burstsr.core.errors import SettingsError  # noqa: E402
from single.catalogue import CATALOGUE  # noqa: E402
from single.descriptor import Descriptor  # noqa: E402
from single.networks import build  # noqa: E402
from single.networks.srresnet import Discriminator  # noqa: E402

LITE = [name for name in CATALOGUE if "lite" in name]
PUBLISHED_PARAMETERS = {  # counted in the papers or, for RRDB, in its authors' released weights
    "srcnn-915-x4": 8129,
    "srcnn-x4": 57281,
    "esrgan-x4": 16697987,
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_descriptor_is_read_back_equal(name):
    assert Descriptor.from_json(CATALOGUE[name].to_json()) == CATALOGUE[name]


@pytest.mark.parametrize("name", LITE)
def test_the_output_is_scale_times_as_large(name):
    descriptor = CATALOGUE[name]
    side = 8 * descriptor.multiple
    with torch.no_grad():
        out = build(descriptor).eval()(torch.rand(2, descriptor.channels, side, side + 4 * descriptor.multiple))
    factor = descriptor.scale * (2 if descriptor.raw else 1)
    assert out.shape == (2, 1 if descriptor.input == "y" else 3, factor * side, factor * (side + 4 * descriptor.multiple))
    assert torch.isfinite(out).all()


@pytest.mark.parametrize(("name", "count"), PUBLISHED_PARAMETERS.items())
def test_published_sizes_have_the_published_number_of_parameters(name, count):
    assert sum(p.numel() for p in build(CATALOGUE[name]).parameters()) == count


@pytest.mark.parametrize("name", [n for n in LITE if CATALOGUE[n].scale in (1, 2)])
def test_nothing_beyond_the_reach_matters(name):
    """A change at one pixel stays within reach_px: what tiles rely on."""
    descriptor = CATALOGUE[name]
    net = build(descriptor).eval()
    reach, factor = descriptor.reach_px, descriptor.scale * (2 if descriptor.raw else 1)
    side = -(-(2 * reach + 9) // descriptor.multiple) * descriptor.multiple
    x = torch.rand(1, descriptor.channels, side, side, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, :, 2, 2] += 0.5
    with torch.no_grad():
        difference = (net(x) - net(changed)).abs()[0].amax(0)
    assert difference.max() > 0
    far = factor * (2 + reach + 1)
    assert float(difference[far:].max()) < 1e-6 and float(difference[:, far:].max()) < 1e-6


def test_a_bicubic_skip_is_there_before_any_training():
    """An untrained lite network is near the bicubic upscaling."""
    net = build(CATALOGUE["srresnet-lite-x2"]).eval()
    x = torch.full((1, 3, 16, 16), 0.5)
    with torch.no_grad():
        assert float((net(x) - 0.5).abs().mean()) < 0.5


@pytest.mark.parametrize(("pairs", "widths"), [(4, [4, 4, 8, 8, 16, 16, 32, 32]), (2, [4, 4, 8, 8]), (5, [4, 4, 8, 8, 16, 16, 32, 32, 32, 32])])
def test_the_discriminator_is_as_deep_as_asked(pairs, widths):
    layers = [layer for layer in Discriminator(4, 16, pairs).features if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == widths and [layer.stride[0] for layer in layers] == [1, 2] * pairs


def test_the_discriminator_takes_any_size():
    discriminator = Discriminator(4, 16).eval()
    with torch.no_grad():
        assert discriminator(torch.rand(2, 3, 96, 96)).shape == discriminator(torch.rand(2, 3, 40, 64)).shape == (2, 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"architecture": "vdsr"}, "must be one of srcnn.*vdsr"), ({"input": "cmyk"}, "must be one of y.*cmyk"), ({"scale": 99}, "between 1 and 8, not 99")],
)
def test_a_wrong_descriptor_states_what_is_allowed(change, words):
    with pytest.raises(SettingsError, match=words):
        Descriptor(**{"name": "mine", "architecture": "srcnn", "scale": 2, "input": "y", **change})


def test_impossible_scales_are_refused():
    for architecture, kind in (("srresnet", "rgb"), ("rrdb", "rgb")):
        with pytest.raises(SettingsError, match="must be"):
            build(Descriptor("x", architecture, 7, kind))
