"""Truncated JPEGs are refused; files of several images are counted."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile

from burstsr.core.errors import InputFileError
from burstsr.io.display import read_display
from burstsr.io.frame_count import frame_count


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 255, (40, 56, 3), np.uint8)


def test_truncated_jpegs_are_refused(tmp_path, picture):
    data = imagecodecs.jpeg8_encode(picture, level=90)
    for name, part in (("half", data[: len(data) // 2]), ("end", data[:-2]), ("head", data[:30])):
        (tmp_path / f"{name}.jpg").write_bytes(part)
        with pytest.raises(InputFileError, match=rf"{name}.jpg"):
            read_display(tmp_path / f"{name}.jpg")
    (tmp_path / "more.jpg").write_bytes(data + b"a second image, or a maker's notes")  # allowed, and common
    assert read_display(tmp_path / "more.jpg").pixels.shape == picture.shape


def test_restart_markers_and_progressive_scans_are_no_end(tmp_path, picture):
    import cv2

    for name, flags in (("restart", [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]), ("progressive", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])):
        path = tmp_path / f"{name}.jpg"
        assert cv2.imwrite(str(path), picture, flags)
        assert read_display(path).pixels.shape == picture.shape
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(InputFileError, match="truncated"):
            read_display(path)


def test_pages_of_a_tiff_are_counted(tmp_path, picture):
    with tifffile.TiffWriter(tmp_path / "three.tif") as file:
        for n in range(3):
            file.write(picture + n, photometric="rgb")
        file.write(picture[::2, ::2], photometric="rgb", subfiletype=1)  # a reduced version of another is no page
    assert read_display(tmp_path / "three.tif").frames == 3


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_frames_of_animations_are_counted(tmp_path, picture):
    png = bytes(imagecodecs.png_encode(picture))
    head = png.index(b"IDAT") - 4
    animated = png[:head] + chunk(b"acTL", struct.pack(">II", 7, 0)) + png[head:]
    assert (frame_count(png), frame_count(animated)) == (1, 7)
    (tmp_path / "a.png").write_bytes(animated)
    assert read_display(tmp_path / "a.png").frames == 7
    image = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + (b"\x21\xf9\x04\0\x0a\0\0\0" + image) * 2 + b"\x3b"
    assert (frame_count(gif), frame_count(gif[:25])) == (2, 1)
    (tmp_path / "two.gif").write_bytes(gif)
    assert read_display(tmp_path / "two.gif").frames == 2
    frames = b"".join(b"ANMF" + struct.pack("<I", 3) + b"abc\0" for _ in range(4))
    assert frame_count(b"RIFF" + struct.pack("<I", 4 + len(frames)) + b"WEBP" + frames) == 4
