"""Models of faces draw into stated crops alone, and what they made up is told."""

import json
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from burstsr.cli import main
from burstsr.core.errors import InputFileError, RangeError, SettingsError
from burstsr.io.display import Display, write_display
from single.classical import resize
from single.inference import Request, make_upscaler
from single.inference.faces import Faces

SIDE = 96


def smooth(shape, seed=0):
    values = cv2.GaussianBlur(np.random.default_rng(seed).random((*shape, 3)), (0, 0), 6)
    return ((values - values.min()) / np.ptp(values)).astype(np.float32)


@pytest.mark.parametrize("scale", [1.0, 2.0, 2.5, 0.5])
@pytest.mark.parametrize("crop", [(10, 20, 64, 64), (0, 0, 40, 64), (50, 90, 70, 30), (0, 0, 120, 120)])
def test_a_network_that_changes_nothing_leaves_the_image(scale, crop):
    """So that what it draws is where the crop is, at the image's own size and proportions."""
    image = smooth((120, 120))
    large = resize(image, scale, "lanczos")
    drawn = Faces((crop,), SIDE, lambda planes: planes).drawn(large, image, scale)
    assert np.abs(drawn - large).max() < 0.05


def test_faces_fade_into_the_image_and_nothing_else_changes():
    image = smooth((120, 160))
    drawn = Faces(((20, 30, 64, 48),), SIDE, np.zeros_like).drawn(image, image, 1.0)
    outside = np.ones((120, 160), bool)
    outside[20:84, 30:78] = False
    assert (drawn[outside] == image[outside]).all()
    assert np.abs(drawn[20:84, [30, 77]] - image[20:84, [30, 77]]).max() < 0.05 and (drawn[40:64, 44:64] == 0).all()
    share = 1 - drawn[50, 30:78, 0] / np.maximum(image[50, 30:78, 0], 1e-6)
    assert (np.diff(share[:24]) > -1e-5).all() and (np.diff(share[24:]) < 1e-5).all()


def test_grey_images_stay_grey():
    image = smooth((80, 80))[:, :, :1]
    drawn = Faces(((8, 8, 64, 64),), SIDE, lambda planes: 1 - planes).drawn(image, image, 1.0)
    assert drawn.shape == image.shape and drawn[40, 40, 0] == pytest.approx(1 - image[40, 40, 0], abs=0.03)


def test_crops_that_are_not_in_the_image_are_refused():
    for crop in ((0, 0, 8, 32), (-1, 0, 32, 32), (0, 0, 32)):
        with pytest.raises(RangeError, match="face must be Y,X,H,W"):
            Request("face.pth", faces=(crop,))
    image = smooth((64, 64))
    with pytest.raises(SettingsError, match=r"--face 40,0,32,32: .* 64 x 64"):
        Faces(((40, 0, 32, 32),), SIDE, np.zeros_like).drawn(image, image, 1.0)


def test_other_models_have_no_faces(capsys):
    with pytest.raises(SettingsError, match="--face: lanczos is not a model of faces"):
        make_upscaler(Request("lanczos", 2, faces=((0, 0, 32, 32),)))
    assert main(["single", "x.png", "-o", "out", "--face", "1,2,3"]) == 2
    assert "expected four integers, Y,X,H,W" in capsys.readouterr().err


@pytest.fixture(scope="module")
def restoreformer(tmp_path_factory):
    """A file of a RestoreFormer with random weights, and what spandrel makes of it. Such networks take 512 pixels."""
    torch = pytest.importorskip("torch")
    if find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed")
    from single.loading.foreign import imported

    spandrel = imported()
    from spandrel.architectures.RestoreFormer import RestoreFormer

    torch.manual_seed(1)
    sizes = {
        "ch": 32,
        "ch_mult": (1,) * 6,
        "num_res_blocks": 1,
        "z_channels": 32,
        "embed_dim": 32,
        "n_embed": 1,
    }  # one word: with several, rounding decides which is nearest
    net = RestoreFormer(**sizes)
    path = tmp_path_factory.mktemp("face") / "face.pth"
    torch.save(net.state_dict(), path)
    return path, spandrel.ModelLoader(device="cpu").load_from_state_dict(net.state_dict()).eval()


def test_without_a_crop_they_are_refused(restoreformer):
    with pytest.raises(InputFileError, match=r"face\.pth: RestoreFormer, a model for faces: .* made up; .*--face Y,X,H,W"):
        make_upscaler(Request(str(restoreformer[0])))


def test_a_crop_becomes_what_spandrel_makes_of_it(restoreformer):
    import torch

    path, theirs = restoreformer
    image = smooth((540, 560))
    upscaler = make_upscaler(Request(str(path), faces=((20, 30, 512, 512),)))
    made = upscaler.image(image)
    crop = torch.from_numpy(np.ascontiguousarray(image[20:532, 30:542].transpose(2, 0, 1)))[None]
    expected = theirs(crop)[0].numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(made[120:420, 130:430], expected[100:400, 100:400], atol=2e-3)
    assert np.abs(made[:18] - image[:18]).max() == 0
    assert upscaler.model.to_dict()["faces"] == [[20, 30, 512, 512]] and upscaler.scale == 1


def test_record_and_metadata_say_that_faces_are_made_up(restoreformer, tmp_path):
    pixels = (255 * smooth((96, 128))).astype(np.uint8)
    write_display(tmp_path / "group.png", "png", Display(pixels, {}))
    given = ["single", str(tmp_path / "group.png"), "-o", str(tmp_path / "out"), "--model", str(restoreformer[0]), "--scale", "2"]
    assert main([*given, "--face", "8,8,48,40", "--face", "30,70,50,50"]) == 0
    record = json.loads((tmp_path / "out" / "group.png.json").read_text())
    assert record["model"]["faces"] == record["asked"]["faces"] == [[8, 8, 48, 40], [30, 70, 50, 50]] and record["shape"] == [192, 256]
    assert "made up by the neural network face" in record["provenance"]["how"] and "8,8,48,40 and 30,70,50,50" in record["provenance"]["how"]
    assert b"compositeWithTrainedAlgorithmicMedia" in (tmp_path / "out" / "group.png").read_bytes()
    assert main([*given, "--face", "60,70,50,50", "--overwrite"]) == 1  # not within the image
