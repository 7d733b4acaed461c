"""What results say of the shot, read back by other programs."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import tifffile

from burstsr.batch.outputs import write_result
from burstsr.core.provenance import Provenance
from burstsr.core.result import Result
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.dng import write_cfa_dng
from burstsr.io.images import read_image, write_linear_tiff
from burstsr.io.linear_dng import read_linear_tiff
from burstsr.io.raw import read_info
from burstsr.io.rgb_tiff import write_image
from burstsr.io.tags import read_tags
from burstsr.settings import FinishSettings

SUFFIX = {"jpg": ".jpg", "tiff": ".tif", "png": ".png", "tiff32": ".linear.tif", "dng": ".dng"}
GPS = {
    0: tiff.integers(tiff.BYTE, 2, 3, 0, 0),
    1: tiff.text("N"),
    2: tiff.rationals([48, 6, 0]),
    3: tiff.text("E"),
    4: tiff.rationals([11, 30, 0]),
    27: tiff.Entry(tiff.UNDEFINED, b"ASCII\0\0\0GPS"),
}
EXIF = {
    41486: tiff.rationals([1000]),
    41487: tiff.rationals([2000]),
    41488: tiff.integers(tiff.SHORT, 3),
    42036: tiff.text("Acme 35 mm"),
    42034: tiff.rationals([35, 35, 1.4, 1.4]),
    37396: tiff.integers(tiff.SHORT, 10, 10, 5, 5),
}


@pytest.fixture
def image(tmp_path, make_frame):
    """Twice a reference of 64 x 80 that was taken upright-turned, with artist, copyright, lens and place."""
    frame = make_frame(orientation=6)
    write_cfa_dng(tmp_path / "plain.dng", frame, extra={315: tiff.text("Ann Author"), 33432: tiff.text("(c) Ann"), t.DESCRIPTION: tiff.text("A harbour")})
    data = io.BytesIO((tmp_path / "plain.dng").read_bytes())
    directory = tiff.read_directories(data)[0]
    exif = {**tiff.read_directory(data, directory[tiff.EXIF_DIRECTORY]), **EXIF}
    pieces = []
    for offset, count in tiff.segments(directory):
        data.seek(offset)
        pieces.append(data.read(count))
    with open(tmp_path / "ref.dng", "wb") as file:
        tiff.write_tiff(file, tiff.Image(directory, pieces, tiled=True), {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: GPS})
    rgb = np.random.default_rng(5).uniform(-0.01, 1.2, (128, 160, 3)).astype(np.float32)
    return Result(rgb, read_info(tmp_path / "ref.dng"), 2.0, provenance=Provenance("computationalCapture", "Merged"))


@pytest.mark.parametrize("kind", SUFFIX)
def test_exif_gps_artist_copyright_and_lens_in_every_format(tmp_path, image, run, kind):
    path = tmp_path / f"a{SUFFIX[kind]}"
    write_result(path, kind, image, FinishSettings())
    names = ("Artist", "Copyright", "LensModel", "ISO", "GPSLatitude", "GPSLongitude", "Orientation", "Model", "SubSecTimeOriginal")
    found = run("exiftool", "-f", "-s3", "-n", *(f"-{name}" for name in names), path).split("\n")
    turned = "6" if kind in ("dng", "tiff32") else "1"
    assert found[:9] == ["Ann Author", "(c) Ann", "Acme 35 mm", "400", "48.1", "11.5", turned, "Acme One", "120003"]
    x, y = (float(v) for v in run("exiftool", "-s3", "-n", "-FocalPlaneXResolution", "-FocalPlaneYResolution", path).split())
    assert (x, y) == ((2000, 4000) if turned == "6" else (4000, 2000))
    assert run("exiftool", "-f", "-s3", "-SubjectArea", path).strip() == "-"  # in pixels of the reference
    assert "computationalCapture" in run("exiftool", "-s3", "-n", "-XMP-iptcExt:DigitalSourceType", path)
    assert run("exiftool", "-validate", "-warning", "-error", "-a", path).split(":")[1].strip() == "OK"


@pytest.mark.parametrize("kind", ["jpg", "tiff", "png"])
def test_pillow_reads_the_exif(tmp_path, image, kind):
    image_module = pytest.importorskip("PIL.Image")
    write_result(tmp_path / f"a{SUFFIX[kind]}", kind, image, FinishSettings())
    with image_module.open(tmp_path / f"a{SUFFIX[kind]}") as open_raw:
        exif = open_raw.getexif()
        assert open_raw.size == (128, 160)  # upright
        assert (exif[315], exif[33432], exif.get(274)) == ("Ann Author", "(c) Ann", 1)
        assert exif.get_ifd(tiff.EXIF_DIRECTORY)[42036] == "Acme 35 mm"
        assert exif.get_ifd(tiff.GPS_DIRECTORY)[1] == "N"


def test_a_float_tiff_keeps_every_value_and_its_meaning(tmp_path, image):
    path = tmp_path / "a.tif"
    write_result(path, "tiff32", image, FinishSettings())
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert np.array_equal(page.asarray(), image.image)
        assert page.dtype == np.float32
        assert page.tags["ImageDescription"].value == ("A harbour. Linear camera RGB, not white-balanced: 0 is black, 1.0 is sensor saturation (WhiteLevel)")
        assert page.tags[t.WHITE].value == 1
    again = read_linear_tiff(path)
    assert np.array_equal(again.rgb, image.image)
    assert again.orientation == 6
    np.testing.assert_allclose(again.colour.as_shot_neutral, image.reference.colour.as_shot_neutral, atol=1e-6)
    np.testing.assert_allclose(again.colour.xyz_to_camera, image.reference.colour.xyz_to_camera, atol=1e-6)


def test_other_float_tiffs_are_not_of_a_camera(tmp_path, image):
    write_linear_tiff(tmp_path / "a.tif", image.image)
    assert read_linear_tiff(tmp_path / "a.tif") is None
    assert np.array_equal(read_image(tmp_path / "a.tif").rgb, image.image)


def test_results_without_a_file_of_the_reference(tmp_path, image, run):
    gone = replace(image, reference=replace(image.reference, path=tmp_path / "gone.dng", camera="", time=None))
    for kind, suffix in SUFFIX.items():
        write_result(tmp_path / f"a{suffix}", kind, gone, FinishSettings())
        assert run("exiftool", "-validate", "-warning", "-error", "-a", tmp_path / f"a{suffix}").split(":")[1].strip() == "OK"


def test_a_very_long_tag_does_not_cost_a_jpeg_its_exif(tmp_path, image, make_frame, run):
    write_cfa_dng(tmp_path / "ref.dng", make_frame(), extra={t.DESCRIPTION: tiff.text("x" * 70000), 315: tiff.text("Ann Author")})
    write_result(tmp_path / "a.jpg", "jpg", replace(image, reference=read_info(tmp_path / "ref.dng")), FinishSettings())
    assert run("exiftool", "-s3", "-Artist", tmp_path / "a.jpg").strip() == "Ann Author"


def test_gps_of_cr3_is_found(tmp_path):
    """CR3 keeps first, Exif and GPS directory as TIFFs of their own."""
    boxes = []
    for directory in ({t.MAKE: tiff.text("Canon"), t.MODEL: tiff.text("EOS")}, {t.TAKEN: tiff.text("2024:05:06 07:08:09")}, GPS):
        block = io.BytesIO()
        tiff.write_directories(block, directory, {})
        boxes.append(struct.pack(">I4s", 8 + len(block.getvalue()), b"CMT1") + block.getvalue())
    (tmp_path / "a.CR3").write_bytes(b"\0\0\0\x18ftypcrx " + bytes(12) + b"".join(boxes))
    found = read_tags(tmp_path / "a.CR3")
    assert found.gps == GPS
    assert found.first[t.MAKE].text() == "Canon"


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("big", [False, True])
def test_tiffs_of_more_than_4_gb_are_bigtiffs(tmp_path, monkeypatch, kind, big):
    if big:
        monkeypatch.setattr(tiff, "CLASSIC_LIMIT", 1000)
    rng = np.random.default_rng(6)
    for channels in (1, 3, 4):
        pixels = (rng.uniform(0, 1, (700, 300, channels)) * (1 if kind is np.float32 else np.iinfo(kind).max)).astype(kind)
        write_image(tmp_path / "a.tif", pixels, {t.SOFTWARE: tiff.text("burstsr")}, {tiff.EXIF_DIRECTORY: EXIF})
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert file.is_bigtiff == big
            assert np.array_equal(file.asarray().reshape(pixels.shape), pixels)
            assert file.pages[0].tags["ExifTag"].value["LensModel"] == "Acme 35 mm"
