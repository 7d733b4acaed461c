import io
import logging
import struct
from datetime import datetime

import numpy as np
import pytest
import rawpy

from burstsr.core.burst import Levels
from burstsr.core.errors import BurstError, InputFileError
from burstsr.core.result import Result
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.consistency import check_burst
from burstsr.io.dng import write_cfa_dng, write_dng
from burstsr.io.libraw import libraw_mosaic
from burstsr.io.opcodes import gain_rows, read_gain_maps
from burstsr.io.raw import read_frame, read_info
from burstsr.io.rescaling import RESCALED_BLACK, RESCALED_WHITE

GAINS = np.array([[1.0, 1.5, 2.0], [1.2, 1.0, 1.1]], np.float32)


def gain_map_opcode(top, left, height, width, gains=GAINS, pitch=2, spacing=None, opcode=9, flags=0):
    down, across = gains.shape
    spacing = spacing or (1 / max(down - 1, 1), 1 / max(across - 1, 1))
    body = struct.pack(">10I4dI", top, left, height, width, 0, 1, pitch, pitch, down, across, *spacing, 0.0, 0.0, 1) + gains.astype(">f4").tobytes()
    return struct.pack(">4I", opcode, 0x01030000, flags, len(body)) + body


def opcode_list(*opcodes):
    return tiff.Entry(tiff.UNDEFINED, struct.pack(">I", len(opcodes)) + b"".join(opcodes))


def samples(frame):
    black = np.tile(frame.info.levels.black, (frame.mosaic.shape[0] // 2, frame.mosaic.shape[1] // 2))
    return (frame.mosaic - black) / (frame.info.levels.white - black)


@pytest.mark.parametrize("origin", [(0, 0), (3, 5), (4, 7), (5, 2)])
@pytest.mark.parametrize("order", ["RGGB", "GBRG"])
def test_margins_shift_no_colour(tmp_path, make_frame, origin, order):
    frame = make_frame((80, 96), order)
    top, left = origin
    area = {t.ACTIVE_AREA: tiff.integers(tiff.LONG, top, left, 71, 90), t.CROP_SIZE: tiff.integers(tiff.LONG, 40, 40)}
    write_cfa_dng(tmp_path / "a.dng", frame, extra=area)
    found = read_frame(tmp_path / "a.dng")
    height, width = found.info.shape
    assert (height, width) == ((71 - top) // 2 * 2, (90 - left) // 2 * 2)
    assert np.array_equal(found.mosaic, frame.mosaic[top : top + height, left : left + width])
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        # LibRaw rounds odd margins up, and its colours follow
        skipped = (raw.sizes.top_margin - top) % 2, (raw.sizes.left_margin - left) % 2
        colours = np.array(["RGBG"[c] for c in raw.raw_colors_visible[:2, :2].ravel()]).reshape(2, 2)
    assert "".join(np.roll(colours, skipped, (0, 1)).ravel()) == found.info.cfa_order == order


def test_pixels_outlive_the_file(tmp_path, make_frame):
    # LibRaw's memory was handed on, and freed, where the visible area is the whole sensor
    frames = []
    for n in range(4):
        frame = make_frame((512, 512))
        write_cfa_dng(tmp_path / f"{n}.dng", frame)
        frames.append(read_frame(tmp_path / f"{n}.dng"))
    assert all(found.mosaic.flags.owndata and np.array_equal(found.mosaic, frame.mosaic) for found in frames)


def test_black_of_one_value_and_default_white(tmp_path, make_frame):
    extra = {t.BLACK_REPEAT: tiff.integers(tiff.SHORT, 1, 1), t.BLACK: tiff.integers(tiff.SHORT, 200)}
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra=extra)
    assert read_info(tmp_path / "a.dng").levels.black.tolist() == [[200, 200], [200, 200]]


def test_black_that_varies_over_the_frame_is_subtracted(tmp_path, make_frame):
    rows, columns = np.linspace(-20, 20, 64), np.linspace(0, 30, 80)
    sample = np.random.default_rng(0).uniform(0, 1, (64, 80))
    black = np.tile(make_frame().info.levels.black, (32, 40)) + rows[:, None] + columns
    mosaic = np.rint(black + sample * (16383 - black)).astype(np.uint16)
    extra = {t.BLACK_DELTA_V: tiff.rationals(rows, tiff.SRATIONAL), t.BLACK_DELTA_H: tiff.rationals(columns, tiff.SRATIONAL)}
    write_cfa_dng(tmp_path / "a.dng", make_frame(mosaic=mosaic), extra=extra)
    frame = read_frame(tmp_path / "a.dng")
    assert frame.info.levels.white == RESCALED_WHITE
    np.testing.assert_allclose(samples(frame), sample, atol=5e-5)


def test_a_linearization_table_is_applied(tmp_path, make_frame):
    mosaic = np.random.default_rng(0).integers(0, 1024, (64, 80)).astype(np.uint16)
    table = (np.arange(1024) ** 2 // 64).astype(int)
    frame = make_frame(mosaic=mosaic, levels=Levels(np.zeros((2, 2)), 1023.0))
    extra = {t.LINEARIZATION: tiff.integers(tiff.SHORT, *table.tolist()), t.WHITE: tiff.integers(tiff.LONG, 16351)}
    write_cfa_dng(tmp_path / "a.dng", frame, bits=10, extra=extra)
    found = read_frame(tmp_path / "a.dng")
    assert np.array_equal(found.mosaic, table[mosaic])
    assert found.info.levels.white == 16351


def test_gain_maps_are_applied_per_cfa_site(tmp_path, make_frame):
    frame = make_frame(mosaic=np.full((64, 80), 4000, np.uint16))
    opcodes = opcode_list(gain_map_opcode(0, 0, 64, 80), gain_map_opcode(1, 1, 64, 80, gains=np.full((1, 1), 2, np.float32)))
    write_cfa_dng(tmp_path / "a.dng", frame, extra={t.OPCODES_2: opcodes})
    found = read_frame(tmp_path / "a.dng")
    gain = samples(found) / samples(frame)
    np.testing.assert_allclose(gain[0::2, 1::2], 1, atol=2e-4)
    np.testing.assert_allclose(gain[1::2, 1::2], 2, atol=2e-4)
    y, x = np.mgrid[0:64:2, 0:80:2] + 0.5
    fy, fx = y / 64, x / 80 * 2
    left = np.minimum(fx.astype(int), 1)
    rows = GAINS[:, left] * (1 - (fx - left)) + GAINS[:, left + 1] * (fx - left)
    np.testing.assert_allclose(gain[0::2, 0::2], rows[0] * (1 - fy) + rows[1] * fy, atol=3e-4)
    assert found.info.levels.black.tolist() == [[RESCALED_BLACK] * 2] * 2
    mean = gain.mean()
    np.testing.assert_allclose(found.info.noise.alpha, frame.info.noise.alpha * mean, rtol=0.02)
    np.testing.assert_allclose(found.info.noise.beta, frame.info.noise.beta * mean**2, rtol=0.03)
    assert read_info(tmp_path / "a.dng").levels.white == found.info.levels.white


def test_gain_clips_at_white_and_keeps_noise_below_black(tmp_path, make_frame):
    mosaic = make_frame().mosaic.copy()
    mosaic[:2], mosaic[2:4] = 16000, 400
    write_cfa_dng(tmp_path / "a.dng", make_frame(mosaic=mosaic), extra={t.OPCODES_2: opcode_list(gain_map_opcode(0, 0, 64, 80, GAINS * 2, pitch=1))})
    found = samples(read_frame(tmp_path / "a.dng"))
    assert found.max() == 1
    assert (found[:2] == 1).all()
    assert (found[2:4] < 0).all()


def test_a_gain_of_one_changes_no_sample(tmp_path, make_frame):
    frame = make_frame()
    ones = np.ones((4, 5), np.float32)
    write_cfa_dng(tmp_path / "a.dng", frame, extra={t.OPCODES_2: opcode_list(gain_map_opcode(0, 0, 64, 80, ones, pitch=1))})
    np.testing.assert_allclose(samples(read_frame(tmp_path / "a.dng")), np.maximum(samples(frame), -0.0667), atol=1e-5)


def test_gain_is_the_same_by_rows_and_at_once(tmp_path):
    maps = read_gain_maps(opcode_list(gain_map_opcode(1, 0, 63, 70)).data, tmp_path)
    whole = gain_rows(maps, (64, 80), 0, 64)
    assert np.array_equal(whole, np.concatenate([gain_rows(maps, (64, 80), a, min(a + 10, 64)) for a in range(0, 64, 10)]))


def test_unknown_opcodes(tmp_path, make_frame, caplog):
    optional, demanded = (opcode_list(gain_map_opcode(0, 0, 64, 80, opcode=8, flags=flag)) for flag in (1, 0))
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra={t.OPCODES_2: optional})
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(read_frame(tmp_path / "a.dng").mosaic, make_frame().mosaic)
    assert "opcode 8" in caplog.text
    write_cfa_dng(tmp_path / "b.dng", make_frame(), extra={t.OPCODES_2: demanded})
    with pytest.raises(InputFileError, match=r"b\.dng.*opcode 8"):
        read_info(tmp_path / "b.dng")
    write_cfa_dng(tmp_path / "c.dng", make_frame(), extra={t.OPCODES_2: tiff.Entry(tiff.UNDEFINED, b"\0\0\0\x09abc")})
    with pytest.raises(InputFileError, match=r"c\.dng.*invalid"):
        read_info(tmp_path / "c.dng")


@pytest.mark.parametrize(
    ("values", "order", "alpha"),
    [
        ((1e-4, 1e-6), "RGGB", (1e-4, 1e-4, 1e-4)),
        ((1e-4, 0, 2e-4, 0, 3e-4, 0), "BGGR", (1e-4, 2e-4, 3e-4)),
        ((1e-4, 0, 2e-4, 0, 4e-4, 0, 5e-4, 0), "RGGB", (1e-4, 3e-4, 5e-4)),
        ((1e-4, 0, 2e-4, 0, 4e-4, 0, 5e-4, 0), "BGGR", (5e-4, 3e-4, 1e-4)),
    ],
)
def test_noise_profile_stays_per_channel(tmp_path, make_frame, values, order, alpha):
    write_cfa_dng(tmp_path / "a.dng", make_frame(order=order), extra={t.NOISE_PROFILE: tiff.doubles(values)})
    np.testing.assert_allclose(read_info(tmp_path / "a.dng").noise.alpha, alpha)


def test_noise_profile_follows_the_plane_order(tmp_path, make_frame):
    extra = {t.NOISE_PROFILE: tiff.doubles((1, 0, 2, 0, 3, 0)), t.CFA_PLANE_COLOUR: tiff.integers(tiff.BYTE, 2, 1, 0)}
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra=extra)
    assert read_info(tmp_path / "a.dng").noise.alpha.tolist() == [3, 2, 1]


def test_the_daylight_matrix_is_preferred(tmp_path, make_frame):
    other = np.eye(3) * 2
    extra = {50722: tiff.rationals(other.ravel(), tiff.SRATIONAL), t.ILLUMINANT_2: tiff.integers(tiff.SHORT, 21), t.ILLUMINANT_1: tiff.integers(tiff.SHORT, 17)}
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra=extra)
    assert np.array_equal(read_info(tmp_path / "a.dng").colour.xyz_to_camera, other)
    extra |= {t.ILLUMINANT_1: tiff.integers(tiff.SHORT, 21), t.ILLUMINANT_2: tiff.integers(tiff.SHORT, 17), t.ANALOG_BALANCE: tiff.rationals([2, 1, 1])}
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra=extra)
    expected = make_frame().info.colour.xyz_to_camera * [[2], [1], [1]]
    np.testing.assert_allclose(read_info(tmp_path / "a.dng").colour.xyz_to_camera, expected, atol=1e-6)


def test_neutral_from_a_white_point_or_daylight(tmp_path, make_frame):
    nothing = tiff.rationals([])
    matrix = make_frame().info.colour.xyz_to_camera
    for extra, xyz in (({}, [0.3127 / 0.329, 1, 0.3583 / 0.329]), ({t.WHITE_XY: tiff.rationals([0.4, 0.4])}, [1, 1, 0.5])):
        write_cfa_dng(tmp_path / "a.dng", make_frame(), extra={t.NEUTRAL: nothing, **extra})
        expected = matrix @ xyz
        np.testing.assert_allclose(read_info(tmp_path / "a.dng").colour.as_shot_neutral, expected / expected[1], rtol=1e-5)


def test_exif_inside_other_containers_is_found(tmp_path):
    block, exif = io.BytesIO(), io.BytesIO()
    tiff.write_directories(block, {t.MAKE: tiff.text("Canon"), t.MODEL: tiff.text("Canon EOS R9")}, {})
    tiff.write_directories(exif, {t.TAKEN: tiff.text("2024:02:03 04:05:06"), t.SUBSECONDS_TAKEN: tiff.text("25"), t.ISO: tiff.integers(tiff.SHORT, 800)}, {})
    (tmp_path / "a.cr3").write_bytes(b"\0\0\0\x18ftypcrx " + bytes(40) + b"CMT1" + block.getvalue() + b"CMT2" + exif.getvalue() + bytes(999))
    tags = t.read_tags(tmp_path / "a.cr3")
    assert t.camera_name(tags) == "Canon EOS R9"
    assert t.capture_time(tags) == datetime(2024, 2, 3, 4, 5, 6, 250000)
    assert tags.shot(t.ISO) == 800


@pytest.mark.parametrize("place", [300, 3000])
def test_corrupt_pixels_are_refused(tmp_path, make_frame, place):
    write_cfa_dng(tmp_path / "a.dng", make_frame((128, 128)))
    data = bytearray((tmp_path / "a.dng").read_bytes())
    data[place : place + 2] = b"\xff\xd9"  # end of a JPEG
    (tmp_path / "a.dng").write_bytes(data)
    with pytest.raises(InputFileError, match="corrupt"):
        read_frame(tmp_path / "a.dng")


def test_any_corrupt_byte_gives_a_frame_or_an_input_file_error(tmp_path, make_frame):
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra={t.OPCODES_2: opcode_list(gain_map_opcode(0, 0, 64, 80))})
    data = (tmp_path / "a.dng").read_bytes()
    start = max(offset + count for offset, count in tiff.segments(t.read_tags(tmp_path / "a.dng").raw))
    rng = np.random.default_rng(11)
    outcomes = set()
    for _ in range(300):
        broken = bytearray(data)
        for place in rng.integers(start, len(data), 3):
            broken[place] = rng.integers(256)
        (tmp_path / "b.dng").write_bytes(broken)
        try:
            outcomes.add(type(read_frame(tmp_path / "b.dng")))
        except InputFileError as error:
            assert "b.dng" in str(error)
            outcomes.add(InputFileError)
    assert len(outcomes) == 2


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({t.CFA_REPEAT: tiff.integers(3, 4, 4), t.CFA_PATTERN: tiff.integers(1, *[0, 0, 1, 1] * 4)}, "blue"),
        ({t.CFA_REPEAT: tiff.integers(3, 6, 6), t.CFA_PATTERN: tiff.integers(1, 0, 2, *[1] * 34)}, "every colour in all 4 x 4"),
        ({t.CFA_REPEAT: tiff.integers(3, 6, 6), t.CFA_PATTERN: tiff.integers(1, 0, 1, 1, 2)}, "4 sites of a colour filter array"),
        ({t.CFA_REPEAT: tiff.integers(3, 2, 4), t.CFA_PATTERN: tiff.integers(1, 0, 1, 3, 1, 1, 2, 1, 2)}, "must have red, green and blue"),
        ({t.CFA_PATTERN: tiff.integers(1, 0, 0, 1, 2)}, "RGGB, BGGR, GRBG, GBRG"),
        ({t.SAMPLE_FORMAT: tiff.integers(3, 3)}, "floating-point"),
        ({t.PHOTOMETRIC: tiff.integers(3, t.LINEAR_PHOTOMETRIC)}, "a result of burstsr"),
        ({t.BLACK: tiff.integers(4, *[20000] * 4)}, "black level must be below white level"),
        ({t.BLACK_REPEAT: tiff.integers(3, 1, 3)}, "4 black levels"),
        ({t.BLACK_REPEAT: tiff.integers(3, 4, 1), t.BLACK: tiff.integers(4, 1, 2, 3, 4)}, "repeats every 4 x 1"),
        ({t.ACTIVE_AREA: tiff.integers(4, 0, 0, 900, 900)}, "active area"),
        ({t.ACTIVE_AREA: tiff.integers(4, 0, 0, 20, 64)}, "at least 32"),
    ],
)
def test_refused(tmp_path, make_frame, extra, reason):
    write_cfa_dng(tmp_path / "a.dng", make_frame(), extra=extra)
    for read in (read_info, read_frame):
        with pytest.raises(InputFileError, match=rf"a\.dng: .*{reason}"):
            read(tmp_path / "a.dng")


@pytest.mark.parametrize("top_left", [(0, 0), (3, 5), (2, 4)])
@pytest.mark.parametrize("cfa", ["X-Trans", "quad GBRG", "RGGB"])
def test_patterns_come_back_and_libraw_decodes_the_same(cfa, top_left, tmp_path, make_frame):
    """Also where the active area begins elsewhere in the pattern."""
    whole = make_frame((80, 96), cfa)
    (height, width), (top, left) = whole.info.shape, top_left
    write_cfa_dng(tmp_path / "a.dng", whole, extra={t.ACTIVE_AREA: tiff.integers(4, top, left, height, width)})
    frame = read_frame(tmp_path / "a.dng")
    assert frame.info.cfa == whole.info.cfa  # the pattern in the file is that of the active area
    shape = frame.info.shape
    np.testing.assert_array_equal(frame.mosaic, whole.mosaic[top : top + shape[0], left : left + shape[1]])
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        raw.unpack()
        np.testing.assert_array_equal(libraw_mosaic(raw, frame.info, top, left), frame.mosaic)


def test_merged_images_are_refused(tmp_path, make_frame):
    write_dng(tmp_path / "p.dng", Result(np.zeros((64, 64, 3), np.float32), make_frame().info, 1.0))
    with pytest.raises(InputFileError, match="already demosaiced"):
        read_info(tmp_path / "p.dng")


def test_missing_empty_cut_and_foreign_files(tmp_path, make_frame):
    for content, reason in ((None, "no such file"), (b"", "empty"), (b"unsupported raw format, however long it may be" * 99, "unsupported raw format")):
        if content is not None:
            (tmp_path / "a.dng").write_bytes(content)
        for read in (read_info, read_frame):
            with pytest.raises(InputFileError, match=rf"a\.dng: .*{reason}"):
                read(tmp_path / "a.dng")
    with pytest.raises(InputFileError, match="not a file"):
        read_info(tmp_path)


@pytest.mark.parametrize("kept", [3, 100, 3000, -300])
def test_truncated(tmp_path, make_frame, kept):
    write_cfa_dng(tmp_path / "whole.dng", make_frame())
    whole = (tmp_path / "whole.dng").read_bytes()
    (tmp_path / "a.dng").write_bytes(whole[:kept])
    with pytest.raises(InputFileError, match=r"a\.dng"):
        read_frame(tmp_path / "a.dng")


@pytest.mark.parametrize("name", ["colorchart.dng", "P003910.KDC", "CRW_0305.CRW"])
def test_real_files_cut_in_half_are_refused(tmp_path, data, name):
    whole = (data / "raw_singles" / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputFileError, match=name):
        read_frame(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "order", "shape", "black", "white", "camera"),
    [
        ("colorchart.dng", "RGGB", (1156, 1734), 2056, 15000, "Canon EOS Kiss X4"),
        ("CRW_0117.CRW", "RGGB", (1720, 2312), 32, 1023, "Canon PowerShot S40"),
        ("CRW_0305.CRW", "RGGB", (1720, 2312), 32, 1023, "Canon PowerShot G2"),
        ("P003910.KDC", "GRBG", (976, 848), 0, 255, "Eastman Kodak Company Kodak DC120 ZOOM Digital Camera"),
        ("../seestar_m94/light_00.dng", "GRBG", (1920, 1080), 0, 65535, "ZWO Seestar S50"),
    ],
)
def test_real_files(data, name, order, shape, black, white, camera):
    frame = read_frame(data / "raw_singles" / name)
    info = frame.info
    assert (info.cfa_order, info.shape, info.camera) == (order, shape, camera)
    assert (info.levels.black == black).all()
    assert info.levels.white == white
    assert frame.mosaic.shape == shape
    assert frame.mosaic.max() <= white
    with rawpy.imread(str(data / "raw_singles" / name)) as raw:
        assert np.array_equal(raw.raw_image_visible, frame.mosaic)
        assert order == "".join("RGBG"[c] for c in raw.raw_colors_visible[:2, :2].ravel())


@pytest.mark.parametrize("name", ["05_PGTM2_unsigned8.dng", "14_hdr_sdr_profiles.dng"])
def test_real_files_already_demosaiced(data, name):
    with pytest.raises(InputFileError, match=f"{name}: already demosaiced"):
        read_frame(data / "raw_singles" / name)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"camera": "Other Two"}, "camera Other Two, but Acme One"),
        ({"shape": (64, 82)}, "size 82 x 64, but 80 x 64"),
        ({"order": "BGGR"}, "CFA order BGGR, but RGGB"),
        ({"aperture": 8.0}, "aperture f/8, but f/"),
        ({"levels": Levels(np.full((2, 2), 100.0), 16383.0)}, "black level"),
        ({"levels": Levels(np.full((2, 2), 512.0), 4095.0)}, "white level 4095, but 16383"),
    ],
)
def test_a_burst_must_agree(make_frame, changes, what):
    first, other = make_frame(path="first.dng").info, make_frame(path="other.dng", **changes).info
    check_burst([first, first])
    with pytest.raises(BurstError, match=rf"other\.dng: {what}.*first\.dng"):
        check_burst([first, first, other])
    with pytest.raises(BurstError, match="at least one frame"):
        check_burst([])
