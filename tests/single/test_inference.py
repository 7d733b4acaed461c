"""Networks at work: tiles, precision, memory, channels, raw frames."""

import numpy as np
import pytest
import torch
from conftest import frame_of

from burstsr.core.errors import BurstsrError, SettingsError
from burstsr.core.result import Result
from burstsr.demosaic import demosaic
from single.descriptor import Descriptor
from single.inference import Model, Request, Upscaler, make_upscaler, upscale_frame, upscale_image, upscale_linear
from single.inference.runner import Runner, chosen_device, out_of_memory
from single.inference.tiles import ramp, spans
from single.loading.stage import Loaded
from single.networks import build

LITE = {"channels": 8, "blocks": 2, "kernel": 3, "norm": False, "skip": True, "direct": True}
TINY = {
    "rgb": Descriptor("tiny-x2", "srresnet", 2, "rgb", LITE, 16),
    "rrdb": Descriptor("rrdb-x4", "rrdb", 4, "rgb", {"channels": 8, "blocks": 1, "growth": 4}, 24, gan=True),
    "unshuffled": Descriptor("rrdb-x2", "rrdb", 2, "rgb", {"channels": 8, "blocks": 1, "growth": 4}, 24, 2),
    "y": Descriptor("srcnn-x3", "srcnn", 3, "y", {"kernels": [5, 3, 3], "widths": [8, 4]}, 8),
    "bayer": Descriptor("zoom-x2", "zoom", 2, "bayer", LITE, 16),
}


def loaded(kind):
    torch.manual_seed(3)
    return Loaded(TINY[kind], build(TINY[kind]).requires_grad_(False).eval(), "0" * 64)


def smooth(height, width, channels=3):
    y, x = np.mgrid[:height, :width]
    planes = [0.5 + 0.3 * np.sin(0.31 * y + 0.23 * x + c) + 0.1 * np.cos(0.9 * x - 0.5 * y * c) for c in range(channels)]
    return np.stack(planes, -1).astype(np.float32)


def made_by(kind, scale=None, **named):
    """An upscaler with a tiny network of random weights."""
    runner = Runner(loaded(kind), "cpu", **named)
    descriptor = TINY[kind]
    return Upscaler(Model(descriptor.name, True, descriptor.gan, "0" * 64), float(scale or descriptor.scale), float(descriptor.scale), descriptor.input, runner)


@pytest.mark.parametrize("length", [1, 40, 41, 100, 333])
@pytest.mark.parametrize(("tile", "overlap", "multiple"), [(16, 16, 1), (40, 8, 2), (64, 20, 4), (500, 16, 1)])
def test_tiles_cover_everything_once(length, tile, overlap, multiple):
    found = spans(length, tile, min(overlap, tile), multiple)
    assert found[0].core_first == 0 and found[-1].core_last == length
    assert all(a.core_last == b.core_first for a, b in zip(found, found[1:], strict=False))
    total = np.zeros(2 * length)
    for span in found:
        total[2 * span.first : 2 * span.last] += ramp(span, length, min(overlap, tile), 2)
    assert np.abs(total - 1).max() < 1e-6


@pytest.mark.parametrize("kind", ["rgb", "rrdb", "unshuffled", "y", "bayer"])
def test_tiled_equals_untiled(kind):
    planes = smooth(70, 93, TINY[kind].channels).transpose(2, 0, 1)
    whole = Runner(loaded(kind), "cpu", 4096, bf16=False)(planes)
    runner = Runner(loaded(kind), "cpu", 32, bf16=False)
    assert whole.shape == (whole.shape[0], 70 * runner.factor, 93 * runner.factor)
    assert np.abs(runner(planes) - whole).max() < 1 / 255


def test_half_precision_is_close():
    planes = smooth(40, 48).transpose(2, 0, 1)
    exact, quick = (Runner(loaded("rrdb"), "cpu", bf16=b)(planes) for b in (False, True))
    assert np.abs(exact - quick).max() < 2 / 255


def test_memory_that_runs_out_halves_the_tile():
    runner = Runner(loaded("rgb"), "cpu", 64, bf16=False)
    expected = runner(planes := smooth(80, 80).transpose(2, 0, 1))
    original = runner._one

    def poor(seen):
        if seen.shape[2] > 45:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return original(seen)

    runner._one, runner.overlap = poor, 8
    assert np.abs(runner(planes) - expected).max() < 1 / 255 and runner.tile == 32
    runner._one = lambda seen: (_ for _ in ()).throw(MemoryError())
    with pytest.raises(BurstsrError, match="not enough memory"):
        runner(planes)
    runner._one = lambda seen: (_ for _ in ()).throw(RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        runner(planes)
    assert not out_of_memory(ValueError("not enough memory"))


def test_devices():
    assert chosen_device("cpu").type == "cpu" and chosen_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(SettingsError, match="--device must be"):
        chosen_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match="--device cuda.*auto, cpu"):
            chosen_device("cuda")


@pytest.mark.parametrize("kind", ["rgb", "y", None])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("scale", [2, 1.5, 5])
def test_all_channels_at_all_scales(kind, channels, scale):
    made = made_by(kind, scale) if kind else make_upscaler(Request("bicubic", scale))
    image = smooth(30, 41, channels)
    large = made.image(image)
    assert large.shape == (round(scale * 30), round(scale * 41), channels) and large.dtype == np.float32
    assert large.min() >= 0 and large.max() <= 1
    if channels % 2 == 0:
        alpha = make_upscaler(Request("bicubic", scale)).image(image[:, :, -1:])
        assert np.abs(large[:, :, -1:] - alpha).max() < 1e-6


def test_grey_comes_out_as_grey_colours_do():
    grey = 0.4 + 0.2 * smooth(24, 24, 1)  # far from where values are cut
    for kind in ("rgb", "y"):
        one, three = (made_by(kind).image(p) for p in (grey, np.repeat(grey, 3, 2)))
        assert np.abs(one[:, :, 0] - three.mean(2)).max() < 1e-4


def test_luma_networks_leave_colour_differences_to_bicubic():
    image = 0.3 + 0.4 * smooth(20, 20)
    made, bicubic = made_by("y").image(image), make_upscaler(Request("bicubic", 3)).image(image)
    gained = made - bicubic
    assert np.abs(gained - gained[:, :, :1]).max() < 1e-5 and np.abs(gained).max() > 1e-4


def test_display_images_are_no_mosaics():
    with pytest.raises(SettingsError, match="raw mosaics"):
        made_by("bayer").image(smooth(8, 8))
    with pytest.raises(SettingsError, match="not mosaics"):
        made_by("rgb").planes(smooth(8, 8, 4).transpose(2, 0, 1))
    with pytest.raises(SettingsError, match="5 channels"):
        made_by("rgb").image(smooth(8, 8, 5))


class Green:
    """Instead of a network: all colours are those of the plane of the red row's green, nearest pixel."""

    def __call__(self, planes, progress=None):
        return np.repeat(planes[1:2], 3, 0).repeat(4, 1).repeat(4, 2)


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_a_mosaic_of_any_order_keeps_its_place(cfa):
    """A slope seen through one plane lies where that plane's site lies, whatever the order begins with."""
    y, x = np.mgrid[:32, :40]
    frame = frame_of(0.2 + 0.005 * y + 0.01 * x, cfa)
    made = upscale_frame(frame, Upscaler(Model("green", True), 2.0, 2.0, "bayer", Green()))
    assert made.image.shape == (64, 80, 3) and made.scale == 2
    top, left = np.argwhere(np.tile(frame.info.cfa, (16, 20)) == 0)[0]
    for row, column in ((24, 32), (30, 50)):  # multiples of the CFA cell from the red site, in output pixels
        corner = 2 * top + 4 * (row // 4), 2 * left + 4 * (column // 4)
        cell = made.image[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4]
        expected = 0.2 + 0.005 * (corner[0] // 2) + 0.01 * (corner[1] // 2 + 1)
        assert np.ptp(cell) < 1e-5 and cell.mean() == pytest.approx(expected, abs=1e-3)


def test_raw_frames_come_back_linear():
    """What a model does not change is what demosaicing gives: balance, curve and back lose nothing, highlights included."""
    frame = frame_of(np.clip(smooth(24, 32) * 1.3, 0, 1))
    same = Upscaler(Model("same", False), 1.0, 1.0, "rgb", None, "bicubic")
    made = upscale_frame(frame, same)
    assert np.abs(made.image - demosaic(frame)).max() < 1e-5 and made.reference is frame.info
    large = upscale_image(made, make_upscaler(Request("lanczos", 1.5)))
    assert large.scale == 1.5 and large.image.shape == (36, 48, 3) and np.isfinite(large.image).all() and large.noise_model is None
    assert upscale_frame(frame, made_by("rgb")).image.shape == (48, 64, 3)


def test_a_merged_image_is_seen_through_the_filters(rng):
    frame = frame_of(np.full((16, 20, 3), 0.4), "GRBG")
    made = upscale_image(Result(np.full((16, 20, 3), 0.4, np.float32), frame.info, 1.0), Upscaler(Model("green", True), 2.0, 2.0, "bayer", Green()))
    assert np.abs(made.image - 0.4).max() < 1e-5


def test_linear_values_above_white_stay():
    bright = np.full((8, 8, 3), 3.0, np.float32)
    assert np.abs(upscale_linear(bright, make_upscaler(Request("bicubic", 2))) - 3).max() < 1e-4


def test_requests_are_checked():
    for named, message in (
        ({"scale": 0}, "scale must be above 0"),
        ({"scale": 40}, "at most 16"),
        ({"blend": 2}, "blend must be between 0 and 1, not 2"),
        ({"tile": 3}, "tile must be 0"),
    ):
        with pytest.raises(SettingsError, match=message):
            Request("lanczos", **named)
    with pytest.raises(SettingsError, match="no weights to interpolate"):
        make_upscaler(Request("lanczos", blend=0.5))


def test_the_factory_is_still_found_under_its_old_name():
    import single.inference

    with pytest.warns(DeprecationWarning, match="make_upscaler"):
        assert single.inference.enlarger is single.inference.make_upscaler
