"""Merged DNGs: packed without loss, with previews, the reference's crop and resolution."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
import rawpy
import tifffile

from burstsr.core.burst import Colour
from burstsr.core.noise import Noise
from burstsr.core.orientation import orient
from burstsr.core.result import Result
from burstsr.export import write_dng
from burstsr.finish import finish_uint8
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.dng import write_cfa_dng
from burstsr.io.linear_dng import read_linear_dng
from burstsr.io.raw import read_info
from burstsr.io.tags import read_tags
from burstsr.settings import FinishSettings


@pytest.fixture
def image(make_frame):
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0.05, 0.6, (6, 8, 3)).astype(np.float32)
    rgb = cv2.resize(coarse, (660, 530), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 1e-4, (530, 660, 3)).astype(np.float32)
    return Result(rgb, make_frame((530, 660)).info, 1.0, Noise(np.full(3, 1e-5), np.full(3, 1e-7)))


def numbers(image):
    return np.rint(np.clip(image.image, 0, 1) * np.float32(65535)).astype(np.uint16)


def sized(image, height, width):
    return replace(image, image=image.image[:height, :width].copy(), reference=replace(image.reference, shape=(height, width)))


@pytest.mark.parametrize("size", [(530, 660), (512, 512), (33, 47), (32, 600), (16, 32), (520, 1024)])
def test_merged_dng_is_compressed_without_loss(tmp_path, image, size):
    rgb = np.tile(image.image, (1, 2, 1))
    part = sized(replace(image, image=rgb), *size)
    write_dng(tmp_path / "p.dng", part)
    assert np.array_equal(np.rint(read_linear_dng(tmp_path / "p.dng").rgb * 65535), numbers(part))
    if min(size) >= 32:  # LibRaw stops at 22
        with rawpy.imread(str(tmp_path / "p.dng")) as raw:
            assert np.array_equal(raw.raw_image_visible[:, :, :3], numbers(part))
    with tifffile.TiffFile(tmp_path / "p.dng") as file:
        page = file.pages[0].pages[0]
        assert np.array_equal(page.asarray(), numbers(part))
        assert sum(page.databytecounts) < 0.75 * page.nbytes or min(size) < 64  # small ones are mostly the edges of tiles


def test_adobe_decodes_the_merged_dng(tmp_path, image, capfd):
    dngpy = pytest.importorskip("dngpy")
    write_dng(tmp_path / "p.dng", image)
    capfd.readouterr()
    assert np.array_equal(np.asarray(dngpy.Dng(str(tmp_path / "p.dng")).raw_pixels).reshape(530, 660, 3), numbers(image))
    assert "arning" not in "".join(capfd.readouterr())


def test_merged_dng_is_the_same_bytes_every_time(tmp_path, image):
    write_dng(tmp_path / "a.dng", image)
    write_dng(tmp_path / "b.dng", image)
    assert (tmp_path / "a.dng").read_bytes() == (tmp_path / "b.dng").read_bytes()


@pytest.mark.parametrize("code", [1, 3, 6, 8])
def test_previews_are_there_and_the_right_way_up(tmp_path, image, code):
    turned = replace(image, reference=replace(image.reference, orientation=code))
    write_dng(tmp_path / "p.dng", turned)
    upright = finish_uint8(turned, FinishSettings()).astype(int)
    with tifffile.TiffFile(tmp_path / "p.dng") as file:
        thumbnail, preview = file.pages[0], file.pages[0].pages[1]
        assert [p.subfiletype & 1 for p in (thumbnail, file.pages[0].pages[0], preview)] == [1, 0, 1]
        assert max(thumbnail.shape[:2]) == 256
        small, large = (orient(p.asarray(), thumbnail.tags["Orientation"].value) for p in (thumbnail, preview))
    assert large.shape == upright.shape
    assert np.abs(large - upright).mean() < 3
    assert np.abs(small - cv2.resize(upright.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_AREA)).mean() < 3


def test_other_readers_find_the_preview(tmp_path, image, run):
    image_module = pytest.importorskip("PIL.Image")
    write_dng(tmp_path / "p.dng", image)
    with rawpy.imread(str(tmp_path / "p.dng")) as raw:
        thumb = raw.extract_thumb()
    with image_module.open(io.BytesIO(thumb.data)) as open_raw:
        assert open_raw.size == (660, 530)
    with image_module.open(tmp_path / "p.dng") as open_raw:  # a program that knows TIFF and no DNG
        assert open_raw.size == (256, 206) and open_raw.mode == "RGB"
    assert run("exiftool", "-s3", "-SubIFD1:PreviewColorSpace", tmp_path / "p.dng").strip() == "sRGB"
    assert run("exiftool", "-validate", "-warning", "-error", "-a", tmp_path / "p.dng").split(":")[1].strip() == "OK"


@pytest.mark.parametrize(("scale", "origin", "size"), [(1.0, (8, 8), (644, 514)), (2.0, (16, 16), (1288, 1028)), (1.5, (12, 12), (966, 771))])
def test_the_crop_of_the_reference_is_scaled(tmp_path, make_frame, scale, origin, size):
    write_cfa_dng(tmp_path / "ref.dng", make_frame((530, 660)))
    reference = read_info(tmp_path / "ref.dng")
    assert reference.crop == (8, 8, 522, 652)
    shape = (round(530 * scale), round(660 * scale), 3)
    write_dng(tmp_path / "p.dng", Result(np.full(shape, 0.2, np.float32), reference, scale))
    tags = read_tags(tmp_path / "p.dng")
    assert (tags.numbers(t.CROP_ORIGIN), tags.numbers(t.CROP_SIZE)) == (origin, size)
    with tifffile.TiffFile(tmp_path / "p.dng") as file:
        assert file.pages[0].pages[1].shape == (size[1], size[0], 3)  # what the preview shows


def test_a_crop_of_nonsense_is_no_crop(tmp_path, make_frame):
    for crop in ((600, 0, 60, 60), (0, 0, 3, 3)):
        extra = {t.CROP_ORIGIN: tiff.integers(tiff.LONG, *crop[:2]), t.CROP_SIZE: tiff.integers(tiff.LONG, *crop[2:])}
        write_cfa_dng(tmp_path / "ref.dng", make_frame((64, 80)), extra=extra)
        assert read_info(tmp_path / "ref.dng").crop is None


def test_saturated_and_unknown_colours_have_a_preview(tmp_path, image):
    for rgb, colour in ((np.full((40, 50, 3), 2.0, np.float32), image.reference.colour), (np.zeros((40, 50, 3), np.float32), Colour(np.ones(3)))):
        write_dng(tmp_path / "p.dng", Result(rgb, replace(image.reference, shape=(40, 50), colour=colour), 1.0))
        with tifffile.TiffFile(tmp_path / "p.dng") as file:
            assert file.pages[0].asarray().min() == file.pages[0].asarray().max() == (255 if rgb.any() else 0)


@pytest.mark.parametrize(
    ("name", "crop", "camera"),
    [
        ("raw_more/singles/blackmagic_cinemadng.dng", (16, 16, 1096, 1936), "Blackmagic Pocket Cinema Camera"),
        ("raw_more/singles/imx296_subifd.dng", None, "Raspberry Pi imx296"),
        ("raw_singles/CRW_0117.CRW", (8, 20, 1712, 2292), "Canon PowerShot S40"),
        ("raw_singles/CRW_0305.CRW", (8, 20, 1712, 2292), "Canon PowerShot G2"),
        ("raw_more/quicktake_pair/raw_Image_02.qtk", None, "Apple QuickTake 150"),
    ],
)
def test_camera_and_crop_as_libraw_knows_them(tmp_path, data, run, name, crop, camera):
    if not (data / name).is_file():
        pytest.skip(f"{name} is not in the data folder")
    reference = read_info(data / name)
    assert (reference.crop, reference.camera) == (crop, camera)
    write_dng(tmp_path / "p.dng", Result(np.full((*reference.shape, 3), 0.3, np.float32), reference, 1.0))
    assert run("exiftool", "-s3", "-UniqueCameraModel", tmp_path / "p.dng").strip() == camera
    assert run("exiftool", "-validate", "-warning", "-error", "-a", tmp_path / "p.dng").split(":")[1].strip() == "OK"
