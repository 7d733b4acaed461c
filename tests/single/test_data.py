import numpy as np
import pytest

torch = pytest.importorskip("torch")

from burstsr.core.errors import InputFileError, SettingsError  # noqa: E402
from burstsr.core.srgb import decode_srgb, encode_srgb  # noqa: E402
from burstsr.io.images import write_png  # noqa: E402
from single.data import AlignedPairs, BayerPairs, Degradation, ImagePairs, PatchDataset  # noqa: E402
from single.data.pairs import luma  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for i in range(3):
        write_png(tmp_path / f"{i}.png", generator.integers(0, 256, (90, 120, 3), np.uint8))
    write_png(tmp_path / "small.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    return PatchDataset([tmp_path])


def test_unusable_images_are_left_out(folder):
    assert [path.name for path in folder.paths] == ["0.png", "1.png", "2.png"]


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="no image"):
        PatchDataset([tmp_path])


def test_of_a_div2k_tree_only_high_resolution_counts(tmp_path):
    for name in ("DIV2K_train_HR", "DIV2K_train_LR_bicubic"):
        (tmp_path / name).mkdir()
        write_png(tmp_path / name / "0001.png", np.zeros((64, 64, 3), np.uint8))
    assert [path.parent.name for path in PatchDataset([tmp_path]).paths] == ["DIV2K_train_HR"]


def test_the_same_seed_gives_the_same_batch(folder):
    pairs = ImagePairs(folder, 2, Degradation(blur_px=1.0, noise=0.02, jpeg=60))
    first, second, other = (pairs.batch(2, 12, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_patch_is_the_shrunk_image(folder, scale):
    """As if the whole image had been shrunk: borders of a patch are not those of an image."""
    given, wanted = ImagePairs(folder, scale, Degradation()).batch(3, 10, np.random.default_rng(5))
    assert given.shape == (3, 3, 10, 10) and wanted.shape == (3, 3, 10 * scale, 10 * scale)
    again = torch.nn.functional.interpolate(wanted, scale_factor=1 / scale, mode="bicubic", antialias=True)
    inner = slice(3, -3)
    assert float((again - given)[:, :, inner, inner].abs().max()) <= 0.5 / 255 + 1e-6 or (again.max() > 1 or again.min() < 0)
    assert torch.allclose(given * 255, (given * 255).round(), atol=1e-4)


def test_degradations_at_nought_change_nothing():
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    exact = (x * 255).round() / 255
    assert torch.equal(Degradation()(exact, 1, torch.Generator()), exact)


@pytest.mark.parametrize("change", [{"blur_px": 2.0}, {"noise": 0.1}, {"jpeg": 20}])
def test_every_degradation_degrades(change):
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    plain = Degradation()(x, 2, torch.Generator().manual_seed(1))
    worse = Degradation(**change)(x, 2, torch.Generator().manual_seed(1))
    assert worse.shape == plain.shape and float((worse - plain).abs().mean()) > 0.005


def test_wrong_degradations_are_refused():
    with pytest.raises(SettingsError, match=r"noise must be between 0 and 0\.5"):
        Degradation(noise=3)


def test_luma_of_grey_is_studio_swing():
    for value, expected in ((0.0, 16 / 255), (1.0, 235 / 255)):
        assert float(luma(torch.full((1, 3, 1, 1), value))) == pytest.approx(expected, abs=1e-4)


def test_raw_planes_of_a_constant_image_are_constant_but_for_noise(tmp_path):
    write_png(tmp_path / "grey.png", np.full((80, 80, 3), 128, np.uint8))
    given, wanted = BayerPairs(PatchDataset([tmp_path]), 2, alpha=(1e-9, 2e-9)).batch(2, 8, np.random.default_rng(1))
    assert given.shape == (2, 4, 8, 8) and wanted.shape == (2, 3, 32, 32)
    assert float((given - 128 / 255).abs().max()) < 1e-3 and float((wanted - 128 / 255).abs().max()) < 1e-5


def test_raw_noise_has_the_asked_variance(tmp_path):
    write_png(tmp_path / "grey.png", np.full((400, 400, 3), 188, np.uint8))
    alpha = 1e-3
    given, wanted = BayerPairs(PatchDataset([tmp_path]), 1, alpha=(alpha, alpha * 1.0001), read_electrons=(0.5, 0.5001)).batch(4, 96, np.random.default_rng(2))
    green = decode_srgb(given[:, 1:3].numpy())
    light = float(decode_srgb(wanted[0, 0, 0, :1].numpy())[0])
    assert green.var() == pytest.approx(alpha * light + alpha**2 / 4, rel=0.05) and green.mean() == pytest.approx(light, rel=2e-3)


@pytest.mark.parametrize("level", [0.02, 0.3])
def test_the_noise_map_tells_the_standard_deviation_of_the_input(tmp_path, level):
    """In the units of the input, of each plane: after white balance, and on the curve."""
    value = int(np.rint(255 * encode_srgb(np.float32([level]))[0]))
    write_png(tmp_path / "grey.png", np.full((400, 400, 3), value, np.uint8))
    pairs = BayerPairs(PatchDataset([tmp_path]), 1, alpha=(2e-4, 2.001e-4), read_electrons=(3, 3.001), noise_map=True)
    given, _ = pairs.batch(3, 64, np.random.default_rng(4))
    assert given.shape == (3, 8, 64, 64)
    for one in given.numpy():
        assert np.allclose(one[:4].std((1, 2)), one[4:].mean((1, 2)), rtol=0.06) and (one[4:].std((1, 2)) < 0.2 * one[4:].mean((1, 2))).all()


def test_the_lens_blurs_the_input_but_not_the_truth(tmp_path):
    write_png(tmp_path / "lines.png", np.kron(np.tile(np.uint8([[40], [215]]), (100, 1)), np.ones((1, 200), np.uint8))[:, :, None].repeat(3, 2))
    folder = PatchDataset([tmp_path])
    sharp, blurred = (BayerPairs(folder, 2, alpha=(1e-9, 2e-9), blur_px=blur).batch(4, 16, np.random.default_rng(5)) for blur in (0.0, 2.0))
    assert torch.equal(sharp[1], blurred[1]) and not torch.allclose(sharp[0], blurred[0], atol=1e-3)


def test_images_beside_raw_files_lose_the_camera_matrix(tmp_path, monkeypatch):
    """Networks make camera RGB, to which the matrix is applied afterwards: a truth in sRGB already has it."""
    from dataclasses import replace

    import single.data.pairs as pairs
    from burstsr.core.burst import Burst, Colour
    from burstsr.core.srgb import SRGB_TO_XYZ, camera_to_srgb
    from burstsr.simulate import SimulateSettings, simulate_burst

    camera = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.0, 0.3, 0.7]])  # of linear sRGB
    colour = Colour(np.ones(3), camera @ np.linalg.inv(SRGB_TO_XYZ))
    seen = np.float32([0.4, 0.3, 0.2])  # camera RGB
    burst: Burst = simulate_burst(np.full((32, 32, 3), 0.3, np.float32), SimulateSettings(frames=1, scale=1.0), np.random.default_rng(0), "a").burst
    frame = replace(burst.frames[0], info=replace(burst.info, colour=colour))
    monkeypatch.setattr(pairs, "read_frame", lambda path: frame)
    (tmp_path / "a.dng").write_bytes(b"")
    shown = encode_srgb(seen @ camera_to_srgb(colour).T)
    height, width = frame.info.shape
    write_png(tmp_path / "a.png", np.tile(np.rint(255 * shown).astype(np.uint8), (height, width, 1)))
    _, rgb = AlignedPairs(tmp_path, 1).pairs[0]
    assert np.allclose(decode_srgb(rgb), seen, atol=5e-3)


def test_the_curve_is_inverted():
    values = np.linspace(-0.2, 1.5, 200).astype(np.float32)
    assert np.allclose(decode_srgb(encode_srgb(values)), values, atol=1e-6)
    assert np.all(np.diff(encode_srgb(values)) > 0)


def test_a_folder_without_raw_pairs_is_refused(tmp_path):
    with pytest.raises(InputFileError, match="no raw file"):
        AlignedPairs(tmp_path, 2)


def test_training_and_validation_share_no_image(folder):
    rest = folder.split_off(2)
    assert not set(rest.paths) & set(folder.paths) and len(rest.paths) + len(folder.paths) == 3


@pytest.mark.parametrize("order", ["RGGB", "GBRG"])
def test_raw_files_with_images_beside_them_become_pairs(tmp_path, order):
    """A simulated raw file and its truth as an image: planes and image show the same, at the same place."""
    from burstsr.cli import main

    coarse = np.random.default_rng(3).integers(40, 220, (6, 8, 3), np.uint8)
    write_png(tmp_path / "scene.png", np.kron(coarse, np.ones((16, 16, 1), np.uint8)))
    line = ["simulate", str(tmp_path / "scene.png"), "-o", str(tmp_path / "sim"), "--frames", "1", "--scale", "1", "--noise", "1e-7,1e-9", "--cfa", order]
    assert main([*line, "--motion", "tripod"]) == 0
    (raw,) = (tmp_path / "sim").rglob("*.dng")
    (tmp_path / "pairs").mkdir()
    raw.rename(tmp_path / "pairs" / "a.dng")
    (tmp_path / "scene.png").rename(tmp_path / "pairs" / "a.png")
    planes, rgb = AlignedPairs(tmp_path / "pairs", 1).pairs[0]
    assert rgb.shape[:2] == (2 * planes.shape[1], 2 * planes.shape[2])
    green, seen = rgb[0::2, 1::2, 1].ravel(), planes[1].ravel()
    assert np.corrcoef(green, seen)[0, 1] > 0.8
    given, wanted = AlignedPairs(tmp_path / "pairs", 1).batch(2, 16, np.random.default_rng(0))
    assert given.shape == (2, 4, 16, 16) and wanted.shape == (2, 3, 32, 32)
    with pytest.raises(InputFileError, match="smaller than the patch"):
        AlignedPairs(tmp_path / "pairs", 1).batch(1, 400, np.random.default_rng(0))
    with pytest.raises(InputFileError, match=r"x2 needs"):
        AlignedPairs(tmp_path / "pairs", 2)
