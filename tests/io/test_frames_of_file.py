"""Pixel-shift sets in one file: the four raw images of a Pentax, and sets that are merged already."""

import struct

import numpy as np
import pytest

from burstsr.core.errors import InputFileError
from burstsr.io.discover import discover, read_burst
from burstsr.io.frames_of_file import frames_of
from burstsr.io.raw import read_info

SHAPE = (120, 160)
_FORMATS = {2: "s", 3: "H", 4: "I"}


def tiff(path, images, make, samples=1):
    """A TIFF with a directory of uncompressed CFA samples for each image."""
    room, start = 512, 8 + 512 * len(images)
    out = bytearray(b"II*\0" + struct.pack("<I", 8)) + bytearray(start - 8)
    for index, image in enumerate(images):
        at, pixels = 8 + index * room, len(out)
        out += image.tobytes()
        height, width = image.shape[:2]
        entries = {254: (4, [0]), 256: (4, [width]), 257: (4, [height]), 258: (3, [16] * samples), 259: (3, [1]), 262: (3, [32803]), 271: (2, make)}
        entries |= {272: (2, make + b" K-1"), 273: (4, [pixels]), 277: (3, [samples]), 278: (4, [height]), 279: (4, [image.nbytes])}
        place, body, extra = at + 6 + 12 * len(entries), b"", b""
        for code, (kind, value) in sorted(entries.items()):
            data = value + b"\0" if kind == 2 else struct.pack(f"<{len(value)}{_FORMATS[kind]}", *value)
            count = len(data) if kind == 2 else len(value)
            if len(data) > 4:
                data, extra = struct.pack("<I", place + len(extra)), extra + data
            body += struct.pack("<HHI", code, kind, count) + data.ljust(4, b"\0")
        following = at + room if index + 1 < len(images) else 0
        directory = struct.pack("<H", len(entries)) + body + struct.pack("<I", following) + extra
        assert len(directory) <= room
        out[at : at + len(directory)] = directory
    path.write_bytes(out)
    return path


@pytest.fixture
def images(rng):
    return [rng.integers(100 * k, 100 * k + 90, SHAPE).astype(np.uint16) for k in range(1, 5)]


def test_a_pentax_set_is_a_burst_of_its_four_images(images, tmp_path):
    path = tiff(tmp_path / "IMGP0001.PEF", images, b"PENTAX")
    assert [frame.name for frame in frames_of(path)] == [f"IMGP0001.PEF[{k}]" for k in range(4)]
    (found,) = discover([tmp_path]).bursts
    assert len(found.infos) == 4
    for frame, image in zip(read_burst(path), images, strict=True):
        height, width = frame.mosaic.shape
        assert frame.info.camera == "PENTAX K-1" and height * width > 0.8 * image.size
        places = [(y, x) for y in range(SHAPE[0] - height + 1) for x in range(SHAPE[1] - width + 1)]  # of the visible area
        assert any(np.array_equal(frame.mosaic, image[y : y + height, x : x + width]) for y, x in places)


def test_a_single_image_stays_one_frame(images, tmp_path):
    path = tiff(tmp_path / "IMGP0002.PEF", images[:1], b"PENTAX")
    assert frames_of(path) == [path] and read_info(path).time is None


def test_a_merged_set_is_refused_with_the_way_out(images, tmp_path):
    path = tiff(tmp_path / "DSC01.ARQ", [np.stack(images, axis=-1)], b"SONY", samples=4)
    with pytest.raises(InputFileError, match=r"four samples in each pixel \(ARQ\).*--motion pixel-shift-4"):
        read_info(path)
