"""Files whose metadata makes no sense, or that would take memory and time without end: refused with file, tag, value and what is allowed."""

import inspect
import struct
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from burstsr.core.errors import InputFileError
from burstsr.core.provenance import Provenance
from burstsr.io import ljpeg, opcodes, tiff
from burstsr.io import tags as t
from burstsr.io.display import read_display
from burstsr.io.dng import write_cfa_dng
from burstsr.io.folders import Walk, files_below
from burstsr.io.images import read_image
from burstsr.io.plausible import check_levels_apart
from burstsr.io.raw import read_frame, read_info
from burstsr.io.tags import read_tags
from burstsr.io.tiff import ASCII, DOUBLE, LONG, SHORT, Entry, doubles, integers
from burstsr.io.xmp import is_well_formed, packet

UNKNOWN = {"iso": 0.0, "exposure_s": 0.0, "aperture": 0.0, "focal_mm": 0.0}


@pytest.fixture
def written(make_frame, tmp_path):
    """Write a frame with other tags; return its path."""

    def write(extra, name="odd.dng"):
        write_cfa_dng(tmp_path / name, make_frame(**UNKNOWN), extra=extra)
        return tmp_path / name

    return write


def with_first(value, count):
    return doubles([value, *[1.0] * (count - 1)])


@pytest.mark.parametrize(
    ("code", "entry", "said"),
    [
        (t.ISO, integers(9, -112), ("ISO (34855)", "-112", "0 (unknown) or between 0.01 and 1e+07")),
        (t.ISO, doubles([1e-300]), ("ISO (34855)", "1e-300")),
        (t.EXPOSURE, doubles([1e-300]), ("ExposureTime (33434)", "1e-300")),
        (t.ISO, doubles([np.inf]), ("ISO (34855)", "inf")),
        (t.EXPOSURE, doubles([-1e308]), ("ExposureTime (33434)", "-1e+308")),
        (t.EXPOSURE, doubles([np.inf]), ("ExposureTime (33434)", "inf")),
        (t.F_NUMBER, doubles([1e9]), ("FNumber (33437)",)),
        (t.FOCAL, doubles([-5.0]), ("FocalLength (37386)", "-5")),
        (t.MATRIX_1, with_first(np.nan, 9), ("ColorMatrix1 (50721)", "nan")),
        (t.MATRIX_1, with_first(np.inf, 9), ("ColorMatrix1 (50721)", "inf")),
        (t.MATRIX_1, doubles([1.0] * 9), ("ColorMatrix", "inverse")),
        (t.CALIBRATION_1, with_first(np.nan, 9), ("CameraCalibration1", "nan")),
        (t.ANALOG_BALANCE, with_first(0.0, 3), ("AnalogBalance", "is 0", "above 0")),
        (t.NEUTRAL, with_first(0.0, 3), ("AsShotNeutral (50728)", "is 0", "above 0")),
        (t.NEUTRAL, with_first(np.inf, 3), ("AsShotNeutral (50728)", "inf")),
        (t.WHITE, integers(LONG, 0), ("WhiteLevel (50717)", "is 0")),
        (t.WHITE, integers(LONG, 2**31), ("WhiteLevel (50717)",)),
        (t.WHITE, integers(LONG, 512), ("50717", "512", "below")),
        (t.BLACK, with_first(-np.inf, 4), ("BlackLevel (50714)", "-inf")),
        (t.BLACK_DELTA_V, with_first(-np.inf, 64), ("BlackLevelDeltaV", "-inf")),
    ],
)
def test_values_that_make_no_sense_are_refused_with_tag_value_and_range(written, code, entry, said):
    path = written({code: entry})
    with pytest.raises(InputFileError) as refused:
        read_info(path)
    for word in (str(path), *said):
        assert word in str(refused.value)


def test_what_is_unknown_is_not_nonsense(written):
    """EXIF writes a fraction by 0 for what a manual lens does not tell."""
    info = read_info(written({t.F_NUMBER: Entry(tiff.RATIONAL, struct.pack("<II", 0, 0)), t.FOCAL: doubles([np.nan]), t.ISO: tiff.text("auto")}))
    assert (info.aperture, info.focal_mm, info.iso) == (0, 0, 0)


def gain_maps(count, points=2):
    one = opcodes.whole_frame(np.ones((points, points), np.float32), (64, 80))
    return Entry(tiff.UNDEFINED, struct.pack(">I", count) + opcodes.written_gain_maps([one])[4:] * count)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({t.OPCODES_2: gain_maps(20_000)}, "20000 opcodes"),
        ({t.BLACK_REPEAT: integers(SHORT, 1000, 5003), t.BLACK: Entry(SHORT, bytes(2 * 5_003_000))}, "5003"),
        ({t.BLACK_REPEAT: integers(SHORT, 200, 200), t.BLACK: Entry(SHORT, bytes(2 * 40_000))}, "200"),
    ],
)
def test_counts_are_limited_before_anything_is_made_of_them(written, extra, said):
    path = written(extra)
    with pytest.raises(InputFileError, match=said):
        read_info(path)


def test_millions_of_subdirectories_and_directories_in_a_circle_end(written, tmp_path):
    path = written({tiff.SUB_DIRECTORIES: Entry(LONG, bytes(4) * 2_000_000)})
    assert read_info(path).shape == (64, 80)
    circle = b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHII", 330, 4, 1, 8) + struct.pack("<HHII", 34665, 4, 1, 8) + b"\x08\0\0\0"
    (tmp_path / "circle.dng").write_bytes(circle)
    assert len(read_tags(tmp_path / "circle.dng").exif) == 2


def test_tags_that_all_point_to_the_same_megabytes_are_not_all_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "_LARGEST_TAGS", 2**22)
    entries = b"".join(struct.pack("<HHII", 1000 + n, 1, 2**16, 0) for n in range(200))
    (tmp_path / "a.dng").write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<H", 200) + entries + bytes(2**16))
    assert len(read_tags(tmp_path / "a.dng").first) == 64


def test_offsets_that_are_no_whole_numbers_are_none(tmp_path):
    for kind in (ASCII, DOUBLE):
        directory = {tiff.SUB_DIRECTORIES: Entry(kind, struct.pack("<d", np.nan)), tiff.STRIP_OFFSETS: doubles([np.inf]), tiff.STRIP_COUNTS: doubles([np.nan])}
        with (tmp_path / "a.tif").open("wb") as file:
            tiff.write_directories(file, directory, {})
        assert tiff.segments(read_tags(tmp_path / "a.tif").first) == []


def test_a_lossless_jpeg_that_declares_gigabytes_is_not_decoded(written, monkeypatch):
    path = written({})
    data, offset = bytearray(path.read_bytes()), 0
    while (offset := data.find(b"\xff\xc3", offset + 1)) > 0:
        struct.pack_into(">HH", data, offset + 5, 65534, 65534)
    path.write_bytes(data)
    monkeypatch.setattr(ljpeg.imagecodecs, "jpeg8_decode", lambda data: pytest.fail("decoded"))
    assert ljpeg.decoded(path, read_tags(path)) is None


def test_images_that_declare_gigabytes_in_a_few_bytes_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    data = bytearray((tmp_path / "a.png").read_bytes())
    struct.pack_into(">II", data, 16, 30_000, 30_000)
    (tmp_path / "bomb.png").write_bytes(data)
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    place = jpeg.index(b"\xff\xc0")
    (tmp_path / "bomb.jpg").write_bytes(jpeg[: place + 5] + struct.pack(">HH", 30_000, 30_000) + jpeg[place + 9 :])
    tags = {256: 30_000, 257: 30_000, 258: 8, 259: 1, 262: 1, 277: 1, 278: 30_000}
    with (tmp_path / "bomb.tif").open("wb") as file:
        tiff.write_tiff(file, tiff.Image({code: integers(LONG, value) for code, value in tags.items()}, [bytes(100)]), {})
    for name in ("bomb.png", "bomb.jpg", "bomb.tif"):
        for read in (read_image, read_display):
            with pytest.raises(InputFileError, match=rf"{name}: declares .* in a file of \d+ bytes"):
                read(tmp_path / name)


@pytest.mark.parametrize(
    "body",
    [
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description/></rdf:RDF></x:xmpmeta>',  # a prefix that is not declared
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><a></b></rdf:RDF>',
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\x01</rdf:RDF>',
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">&lol;</rdf:RDF>',
    ],
)
def test_a_source_s_xmp_that_is_not_well_formed_is_not_copied(body):
    made = packet(Provenance("computationalCapture", "Merged"), body.encode())
    ElementTree.fromstring(made.decode())
    assert is_well_formed(made) and b"computationalCapture" in made and not is_well_formed(body.encode())


def test_a_packet_with_entities_of_its_own_is_not_copied():
    assert not is_well_formed(b'<!DOCTYPE a [<!ENTITY b "bbbb">]><a>&b;</a>')


def test_folders_nested_deeper_than_calls_are_searched(tmp_path):
    deep = tmp_path / "/".join("d" * 300)
    deep.mkdir(parents=True)
    (deep / "a.dng").write_bytes(b"II*\0")
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(len(inspect.stack()) + 150)
        found, below = Walk([tmp_path]).units, [path.name for path in files_below(tmp_path)]
    finally:
        sys.setrecursionlimit(limit)
    assert len(found) == 301 and below == ["a.dng"]


def test_a_grey_tiff_whose_tags_have_the_wrong_types_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.tif"), np.arange(4096, dtype=np.uint16).reshape(64, 64))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    start = struct.unpack_from("<I", data, 4)[0]
    for n in range(struct.unpack_from("<H", data, start)[0]):
        place = start + 2 + 12 * n
        if struct.unpack_from("<H", data, place)[0] == t.HEIGHT:
            struct.pack_into("<HII", data, place + 2, ASCII, 20, 8)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputFileError, match=r"a\.tif"):
        read_frame(tmp_path / "a.tif")


def test_an_orientation_that_does_not_exist_is_upright(make_frame):
    frame = make_frame()
    assert replace(frame.info, orientation=1) == frame.info
    assert [t.orientation_of({t.ORIENTATION: doubles([value])}) for value in (np.nan, np.inf, 0, 9, 6)] == [1, 1, 1, 1, 6]


@pytest.mark.parametrize(
    ("black", "white", "fine"), [(64.0, 4095.0, True), (512.0, 256.0, False), (512.0, 512.5, False), (np.nan, 256.0, False), (0.0, 70_000.0, False)]
)
def test_levels_that_libraw_or_another_reader_makes_of_a_damaged_file(black, white, fine):
    levels = np.full((2, 2), black)
    if fine:
        check_levels_apart(Path("a.nef"), levels, white)
    else:
        with pytest.raises(InputFileError, match="a.nef: black level must be below white level"):
            check_levels_apart(Path("a.nef"), levels, white)
