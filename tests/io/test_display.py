"""Display images of every kind come back as they went in, upright, with profile and metadata."""

import io

import cv2
import numpy as np
import pytest
import tifffile

from burstsr.core.errors import InputFileError, OutputError
from burstsr.core.orientation import unorient
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.display import Display, read_display, write_display
from burstsr.io.icc import srgb_profile
from burstsr.io.metadata_segments import jpeg_with, png_with


def pixels_of(rng, channels, kind):
    return rng.integers(0, np.iinfo(kind).max, (20, 30, channels)).astype(kind)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(("format_name", "suffix"), [("png", ".png"), ("tiff", ".tif")])
def test_lossless_formats_keep_every_number(tmp_path, rng, channels, kind, format_name, suffix):
    image = Display(pixels_of(rng, channels, kind), {"icc": b"a profile", "xmp": b"<packet/>"})
    write_display(tmp_path / f"a{suffix}", format_name, image)
    back = read_display(tmp_path / f"a{suffix}")
    assert back.pixels.dtype == kind and np.array_equal(back.pixels, image.pixels)
    assert back.blocks["icc"] == b"a profile" and back.blocks["xmp"] == b"<packet/>"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_jpeg_drops_alpha_alone(tmp_path, channels):
    y, x = np.mgrid[:40, :48]
    pixels = np.repeat(np.uint8(60 + 2 * y + x)[:, :, None], channels, 2)
    write_display(tmp_path / "a.jpg", "jpg", Display(pixels))
    back = read_display(tmp_path / "a.jpg")
    assert back.pixels.shape == (40, 48, 1 if channels < 3 else 3)
    assert np.abs(back.pixels.astype(int) - pixels[:, :, : back.pixels.shape[2]]).max() <= 4


def test_without_a_profile_colours_are_marked_as_srgb(tmp_path, rng):
    write_display(tmp_path / "a.png", "png", Display(pixels_of(rng, 3, np.uint8)))
    assert read_display(tmp_path / "a.png").blocks["icc"] == srgb_profile()


def exif_block(code):
    file = io.BytesIO()
    first = {t.ORIENTATION: tiff.integers(tiff.SHORT, code), t.MODEL: tiff.text("Camera")}
    exif = {t.ISO: tiff.integers(tiff.SHORT, 200), 37500: tiff.Entry(tiff.UNDEFINED, b"maker"), 40962: tiff.integers(tiff.LONG, 1)}
    tiff.write_directories(file, first, {tiff.EXIF_DIRECTORY: exif})
    return file.getvalue()


@pytest.mark.parametrize("code", range(1, 9))
def test_images_are_turned_upright_once(tmp_path, rng, code):
    import imagecodecs

    pixels = pixels_of(rng, 3, np.uint8)
    stored = np.ascontiguousarray(unorient(pixels, code))
    (tmp_path / "a.png").write_bytes(png_with(bytes(imagecodecs.png_encode(stored)), None, exif_block(code)))
    (tmp_path / "a.jpg").write_bytes(jpeg_with(bytes(imagecodecs.jpeg8_encode(stored, level=100, subsampling="444")), None, exif_block(code)))
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=[(t.ORIENTATION, "H", 1, code, True)])
    for name, most in (("a.png", 0), ("a.tif", 0), ("a.jpg", 12)):
        read = read_display(tmp_path / name)
        assert read.pixels.shape == pixels.shape and np.abs(read.pixels.astype(int) - pixels).max() <= most
    write_display(tmp_path / "b.jpg", "jpg", read)
    again = read_display(tmp_path / "b.jpg")
    assert again.pixels.shape == pixels.shape, "the turn is taken out of the metadata"
    first = tiff.read_directories(io.BytesIO(again.blocks["exif"]))[0]
    inner = tiff.read_directory(io.BytesIO(again.blocks["exif"]), first[tiff.EXIF_DIRECTORY])
    assert first[t.MODEL].text() == "Camera" and inner[t.ISO].numbers() == (200,) and inner[40962].numbers() == (30,) and 37500 not in inner


def test_other_formats_are_read_too(tmp_path, rng):
    pixels = pixels_of(rng, 3, np.uint8)
    for name in ("a.bmp", "a.webp"):
        cv2.imwrite(str(tmp_path / name), pixels[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])
        assert np.array_equal(read_display(tmp_path / name).pixels, pixels)
    tifffile.imwrite(tmp_path / "f.tif", pixels.astype(np.float64) / 255, photometric="rgb")
    assert read_display(tmp_path / "f.tif").pixels.dtype == np.float32
    tifffile.imwrite(tmp_path / "p.tif", np.moveaxis(pixels, -1, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(read_display(tmp_path / "p.tif").pixels, pixels)


def test_what_cannot_be_read_or_written_is_named(tmp_path, rng):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8 broken")
    (tmp_path / "c.txt").write_bytes(b"hello")
    (tmp_path / "d.tif").write_bytes(b"II*\0 broken")
    tifffile.imwrite(tmp_path / "n.tif", np.full((4, 4, 3), np.nan, np.float32), photometric="rgb")
    tifffile.imwrite(tmp_path / "i.tif", np.zeros((4, 4), np.int32), photometric="minisblack")
    for name in ("a.png", "b.jpg", "c.txt", "d.tif", "n.tif", "i.tif", "gone.png"):
        with pytest.raises(InputFileError, match=name):
            read_display(tmp_path / name)
    with pytest.raises(OutputError, match="65500"):
        write_display(tmp_path / "wide.jpg", "jpg", Display(np.zeros((1, 65501, 3), np.uint8)))
    assert not (tmp_path / "wide.jpg").exists()


def test_a_tiff_gives_and_gets_exif(tmp_path, rng, run):
    """What goes through `single` keeps author and place in every format."""
    image = Display(pixels_of(rng, 3, np.uint16), {"exif": authored_block()})
    write_display(tmp_path / "a.tif", "tiff", image)
    names = ("-Artist", "-LensModel", "-GPSLatitude")
    for kind, suffix in (("tiff", ".tif"), ("png", ".png"), ("jpg", ".jpg")):
        again = read_display(tmp_path / "a.tif")
        write_display(tmp_path / f"b{suffix}", kind, Display((again.pixels >> 8).astype(np.uint8) if kind == "jpg" else again.pixels, again.blocks))
        assert run("exiftool", "-s3", "-n", *names, tmp_path / f"b{suffix}").split("\n")[:3] == ["Ann", "35 mm", "48.5"]
    for name in ("a.tif", "b.tif"):
        assert run("exiftool", "-validate", "-warning", "-a", tmp_path / name).split(":")[1].strip() == "OK"


def authored_block():
    file = io.BytesIO()
    exif = {
        36864: tiff.Entry(tiff.UNDEFINED, b"0230"),
        40960: tiff.Entry(tiff.UNDEFINED, b"0100"),
        40961: tiff.integers(tiff.SHORT, 1),
        37121: tiff.Entry(tiff.UNDEFINED, b"\1\2\3\0"),
        42036: tiff.text("35 mm"),
    }
    gps = {
        0: tiff.integers(tiff.BYTE, 2, 3, 0, 0),
        1: tiff.text("N"),
        2: tiff.rationals([48, 30, 0]),
        27: tiff.Entry(tiff.UNDEFINED, b"ASCII\0\0\0GPS"),
    }
    tiff.write_directories(file, {315: tiff.text("Ann")}, {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: gps})
    return file.getvalue()
