import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from skimage.metrics import structural_similarity  # noqa: E402

from burstsr.core.errors import InputFileError, SettingsError  # noqa: E402
from single.losses import adversarial, pixel_loss  # noqa: E402
from single.losses.cobi import cobi, rgb_patch_loss  # noqa: E402
from single.losses.perceptual import NAMES, VGG19, cobi_loss  # noqa: E402
from single.losses.similarity import ms_ssim, ssim  # noqa: E402


@pytest.fixture
def images():
    """(1, 3, 24, 24) smooth random image, double precision, and another."""
    generator = torch.Generator().manual_seed(3)
    first = torch.rand(1, 3, 24, 24, generator=generator, dtype=torch.float64)
    first = torch.nn.functional.avg_pool2d(first, 3, 1, 1)
    return first, (first + 0.1 * torch.rand(first.shape, generator=generator, dtype=torch.float64)).clamp(0, 1)


@pytest.mark.parametrize("name", ["l1", "mse", "ssim", "ms-ssim"])
def test_no_loss_where_equal_and_some_where_not(name, images):
    loss = pixel_loss(name)
    assert float(loss(images[0], images[0])) == pytest.approx(0, abs=1e-7)
    assert float(loss(*images)) > 1e-4


@pytest.mark.parametrize("loss", [lambda a, b: 1 - ssim(a, b), lambda a, b: 1 - ms_ssim(a, b), cobi, lambda a, b: rgb_patch_loss(a, b, 2)])
def test_gradients_are_the_derivatives(loss):
    generator = torch.Generator().manual_seed(4)
    a = torch.rand(1, 3, 12, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    b = torch.rand(1, 3, 12, 12, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss(a, b), a)
    for place in ((0, 0, 5, 5), (0, 2, 3, 8), (0, 1, 6, 6)):
        step = torch.zeros_like(a)
        step[place] = 1e-6
        slope = float(loss(a.detach() + step, b) - loss(a.detach() - step, b)) / 2e-6
        assert float(gradient[place]) == pytest.approx(slope, rel=1e-3, abs=1e-7)


def test_ssim_agrees_with_scikit_image(images):
    a, b = (p[0].permute(1, 2, 0).numpy() for p in images)
    settings = {"data_range": 1.0, "channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    _, theirs = structural_similarity(a, b, **settings)
    assert float(ssim(*images)) == pytest.approx(theirs[5:-5, 5:-5].mean(), abs=1e-6)


def test_ms_ssim_of_one_scale_is_ssim(images):
    small = [p[:, :, :16, :16] for p in images]
    assert float(ms_ssim(*small)) == pytest.approx(float(ssim(*small)), abs=1e-9)


def test_too_small_images_are_refused():
    with pytest.raises(SettingsError, match="11"):
        ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))
    with pytest.raises(SettingsError, match="must be"):
        cobi(torch.zeros(1, 1, 200, 2), torch.zeros(1, 1, 200, 2))


def test_cobi_tolerates_misalignment_where_l1_does_not():
    """Which of two made images is better, the sharp one that lies a pixel off, or a blurred one in place: L1 says the blurred one, CoBi the sharp one."""
    generator = torch.Generator().manual_seed(7)
    scene = torch.rand(1, 3, 34, 34, generator=generator)
    wanted, shifted = scene[:, :, 1:33, 1:33], scene[:, :, 1:33, 2:34]
    blurred = torch.nn.functional.avg_pool2d(scene, 3, 1)[:, :, :32, :32]
    l1 = pixel_loss("l1")
    assert l1(blurred, wanted) < 0.8 * l1(shifted, wanted)
    assert cobi(shifted, wanted, spatial_weight=0.1) < 0.8 * cobi(blurred, wanted, spatial_weight=0.1)
    assert rgb_patch_loss(shifted, wanted) < rgb_patch_loss(blurred, wanted)


def _fitted(loss, scene, corner, side, steps=40):
    """The image with the least loss against targets that lie up to 2 pixels off, from a blurred one."""
    x = torch.nn.functional.avg_pool2d(scene, 5, 1, 2)[:, :, corner : corner + side, corner : corner + side].clone().requires_grad_(True)
    optimiser = torch.optim.Adam([x], 0.04)
    for dy, dx in np.random.default_rng(5).integers(-2, 3, (steps, 2)) + corner:
        value = loss(x, scene[:, :, dy : dy + side, dx : dx + side])
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return x.detach().clamp(0, 1)


def test_training_on_misaligned_targets_is_sharp_with_cobi_and_blurred_with_l1():
    """Targets up to 2 px off: L1 gives the wrong image, CoBi with L1 the true one, with gradients near the truth's (they were 3 times as large)."""
    side, corner = 20, 6
    scene = torch.from_numpy(np.kron(np.random.default_rng(1).random((1, 3, 8, 8)), np.ones((4, 4)))).float()
    truth = scene[:, :, corner : corner + side, corner : corner + side]
    gradient = lambda x: float(x.diff(dim=2).abs().mean() + x.diff(dim=3).abs().mean())  # noqa: E731
    psnr = lambda x: float(-10 * torch.log10(((x - truth) ** 2).mean()))  # noqa: E731
    l1 = pixel_loss("l1")
    blurred, sharp = _fitted(l1, scene, corner, side), _fitted(lambda a, b: rgb_patch_loss(a, b) + l1(a, b), scene, corner, side)
    assert psnr(sharp) > psnr(blurred) + 3 and 0.85 < gradient(sharp) / gradient(truth) < 1.35


def test_cobi_patches_grow_with_the_scale():
    a, b = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    values = [float(pixel_loss("cobi", scale)(a, b)) for scale in (2, 4, 8)]
    assert len(set(values)) == 3 and float(pixel_loss("cobi", 4, 0.1)(a, b)) != values[1]


def test_the_spatial_term_prefers_near_matches():
    """Two features that fit equally: without the spatial term a swap of places costs nothing, with it it does."""
    x = torch.rand(1, 8, 1, 16, generator=torch.Generator().manual_seed(2))
    reversed_x = x.flip(3)
    assert float(cobi(reversed_x, x, spatial_weight=0)) == pytest.approx(float(cobi(x, x, spatial_weight=0)), abs=1e-5)
    assert float(cobi(reversed_x, x, spatial_weight=0.5)) > float(cobi(x, x, spatial_weight=0.5)) + 0.1


def test_adversarial_losses_at_known_points():
    real, fake = torch.zeros(4, 1), torch.zeros(4, 1)
    for relativistic in (True, False):  # nobody can tell: log 2
        assert float(adversarial.discriminator_loss(real, fake, relativistic)) == pytest.approx(math.log(2), rel=1e-6)
        assert float(adversarial.generator_loss(real, fake, relativistic)) == pytest.approx(math.log(2), rel=1e-6)
    sure = torch.full((4, 1), 10.0)
    assert float(adversarial.discriminator_loss(sure, -sure)) < 1e-6 and float(adversarial.generator_loss(sure, -sure)) > 10
    assert float(adversarial.discriminator_loss(sure + 5, sure + 5)) == pytest.approx(math.log(2), rel=1e-6)  # relativistic: only differences count


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return VGG19(("conv1_2", "conv2_2"))


def test_vgg_features_before_and_after_activation(vgg):
    after = VGG19(("conv1_2", "conv2_2"), before_activation=False)
    missing = after.load_state_dict(vgg.state_dict(), strict=False)
    assert not missing.missing_keys
    x = torch.rand(1, 3, 16, 16)
    before, behind = vgg(x), after(x)
    for name, shape in (("conv1_2", (1, 64, 16, 16)), ("conv2_2", (1, 128, 8, 8))):
        assert before[name].shape == shape
        assert torch.equal(before[name].clamp(min=0), behind[name])
    assert (before["conv1_2"] < 0).any() and not any(p.requires_grad for p in vgg.parameters())


def test_cobi_on_features_pulls_towards_the_wanted_image(vgg):
    wanted = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    made = torch.zeros(1, 3, 16, 16, requires_grad=True)
    loss = cobi_loss(vgg, made, wanted)
    loss.backward()
    assert float(cobi_loss(vgg, wanted, wanted)) < float(loss.detach()) and float(made.grad.abs().sum()) > 0


def test_vgg_weights_are_read_from_a_file_and_wrong_ones_refused(tmp_path, vgg):
    path = tmp_path / "vgg19.pth"
    torch.save(vgg.state_dict(), path)
    loaded = VGG19.load(str(path), ("conv1_2",))
    assert torch.equal(loaded.features[0].weight, vgg.features[0].weight)
    with pytest.raises(InputFileError, match="no such file.*vgg19"):
        VGG19.load(str(tmp_path / "none.pth"))
    with pytest.raises(InputFileError, match="missing or has another shape"):
        VGG19.load(str(path), ("conv5_4",))
    (tmp_path / "broken.pth").write_bytes(b"nonsense")
    with pytest.raises(InputFileError, match="broken.pth"):
        VGG19.load(str(tmp_path / "broken.pth"))
    with pytest.raises(SettingsError, match="conv1_1.*conv9_9"):
        VGG19(("conv9_9",))
    assert len(NAMES) == 16 and np.unique(NAMES).size == 16


def test_an_unknown_loss_is_refused():
    with pytest.raises(SettingsError, match="l1, mse.*huber"):
        pixel_loss("huber")


def test_vgg_torchvision_downloads_nothing(tmp_path, monkeypatch, vgg):
    """Fault 8: 575 MB came without a word."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("downloads"))
    with pytest.raises(InputFileError, match="no such file: .*vgg19-dcbb9e9d.pth; download it from https"):
        VGG19.load("torchvision", ("conv1_2",))
    (tmp_path / "checkpoints").mkdir()
    torch.save(vgg.state_dict(), tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth")
    assert torch.equal(VGG19.load("torchvision", ("conv1_2",)).features[0].weight, vgg.features[0].weight)
