import io
import sys

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from burstsr.core.errors import InputFileError, OutputError
from burstsr.io.icc import srgb_profile
from burstsr.io.images import read_image, write_exr, write_jpeg, write_linear_tiff, write_png, write_tiff


@pytest.fixture
def pixels():
    def make(kind, shape=(37, 51)):
        rng = np.random.default_rng(5)
        smooth = cv2.resize(rng.uniform(0, 1, (5, 6, 3)), shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1)
        return smooth.astype(kind) if kind is np.float32 else np.rint(smooth * np.iinfo(kind).max).astype(kind)

    return make


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_integers_come_back(tmp_path, pixels, name, kind):
    image = pixels(kind)
    (write_tiff if name == "a.tif" else write_png)(tmp_path / name, image)
    rgb, was_integer = read_image(tmp_path / name)
    assert was_integer
    assert rgb.dtype == np.float32
    assert np.array_equal(np.rint(rgb * np.iinfo(kind).max), image)


def test_linear_floats_come_back(tmp_path, pixels):
    rgb = pixels(np.float32) * 3 - 1
    write_linear_tiff(tmp_path / "a.tif", rgb)
    found, was_integer = read_image(tmp_path / "a.tif")
    assert not was_integer
    assert np.array_equal(found, rgb)


def test_a_jpeg_is_close_and_names_the_camera(tmp_path, pixels, make_frame, run):
    image = pixels(np.uint8)
    write_jpeg(tmp_path / "a.jpg", image, make_frame(orientation=6).info, quality=95)
    found, was_integer = read_image(tmp_path / "a.jpg")
    assert was_integer
    assert found.shape == image.shape  # upright as it is: orientation 1
    assert np.abs(found * 255 - image).mean() < 2
    tags = run("exiftool", "-s3", "-n", "-Make", "-Model", "-ISO", "-Orientation", "-DateTimeOriginal", "-SubSecTimeOriginal", tmp_path / "a.jpg").split("\n")
    assert tags[:6] == ["Acme", "Acme One", "400", "1", "2024:05:06 07:08:09", "120003"]
    assert "OK" in run("exiftool", "-validate", "-warning", "-a", tmp_path / "a.jpg")


def test_a_jpeg_needs_no_camera(tmp_path, pixels):
    write_jpeg(tmp_path / "a.jpg", pixels(np.uint8))
    assert read_image(tmp_path / "a.jpg").rgb.shape == (37, 51, 3)


def test_a_turned_jpeg_is_read_upright(tmp_path, pixels):
    image = pixels(np.uint8)
    write_jpeg(tmp_path / "a.jpg", image)
    upright = read_image(tmp_path / "a.jpg").rgb
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00"
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes().replace(entry + b"\1", entry + b"\6"))
    assert np.array_equal(read_image(tmp_path / "b.jpg").rgb, np.rot90(upright, -1))


def test_the_profile_is_srgb(tmp_path, pixels):
    image_cms = pytest.importorskip("PIL.ImageCms")
    image_module = pytest.importorskip("PIL.Image")
    image = pixels(np.uint8)
    profile = image_cms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    converted = image_cms.profileToProfile(image_module.fromarray(image), profile, image_cms.createProfile("sRGB"))
    assert np.abs(np.asarray(converted).astype(int) - image).max() <= 1
    for writer, name in ((write_tiff, "a.tif"), (write_png, "a.png"), (write_jpeg, "a.jpg")):
        writer(tmp_path / name, image)
        with image_module.open(tmp_path / name) as open_raw:
            assert open_raw.info["icc_profile"] == srgb_profile()


def test_exr(tmp_path, pixels):
    exr = pytest.importorskip("OpenEXR")
    rgb = pixels(np.float32) * 4
    write_exr(tmp_path / "a.exr", rgb)
    np.testing.assert_allclose(exr.File(str(tmp_path / "a.exr")).channels()["RGB"].pixels.astype(np.float32), rgb, rtol=1e-3, atol=1e-6)


def test_exr_states_what_to_install(tmp_path, pixels, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(OutputError, match=r"pip install burstsr\[exr\]"):
        write_exr(tmp_path / "a.exr", pixels(np.float32))
    assert not list(tmp_path.iterdir())


def test_grey_alpha_and_separate_planes_become_rgb(tmp_path, pixels):
    image = pixels(np.uint16)
    tifffile.imwrite(tmp_path / "grey.tif", image[:, :, 0], photometric="minisblack")
    tifffile.imwrite(tmp_path / "planes.tif", np.moveaxis(image, 2, 0), photometric="rgb", planarconfig="separate")
    (tmp_path / "alpha.png").write_bytes(imagecodecs.png_encode(np.dstack([image, np.full(image.shape[:2], 30000, np.uint16)])))
    (tmp_path / "grey.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image[:, :, 0])))
    grey = np.repeat(image[:, :, :1], 3, axis=2)
    for name, expected in (("grey.tif", grey), ("grey.png", grey), ("planes.tif", image), ("alpha.png", image)):
        assert np.array_equal(np.rint(read_image(tmp_path / name).rgb * 65535), expected), name


def test_a_turned_tiff_is_read_upright_as_a_jpeg_is(tmp_path, pixels):
    image = pixels(np.uint8)
    tifffile.imwrite(tmp_path / "turned.tif", image, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert np.array_equal(np.rint(read_image(tmp_path / "turned.tif").rgb * 255), np.rot90(image, -1))


def test_unreadable_images(tmp_path, pixels):
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "a.tif").write_bytes(b"no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    tifffile.imwrite(tmp_path / "nan.tif", np.full((8, 8, 3), np.nan, np.float32), photometric="rgb")
    tifffile.imwrite(tmp_path / "int.tif", np.zeros((8, 8, 3), np.int32), photometric="rgb")
    for name in ("a.png", "a.tif", "empty.jpg", "nan.tif", "int.tif", "missing.png"):
        with pytest.raises(InputFileError, match=name):
            read_image(tmp_path / name)


def test_wrong_pixels_are_refused(tmp_path, pixels):
    for writer, wrong in ((write_png, pixels(np.float32)), (write_jpeg, pixels(np.uint16)), (write_tiff, pixels(np.uint8)[:, :, :2])):
        with pytest.raises(OutputError, match="must be"):
            writer(tmp_path / "a.png", wrong)
    with pytest.raises(OutputError, match="limited to 65500"):
        write_jpeg(tmp_path / "a.jpg", np.zeros((1, 65501, 3), np.uint8))
