import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rawpy
import tifffile

from burstsr.core.burst import Colour, Levels
from burstsr.core.cfa import BAYER_ORDERS
from burstsr.core.errors import OutputError
from burstsr.core.noise import Noise
from burstsr.core.result import Result
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.dng import NOMINAL_XYZ_TO_CAMERA, write_cfa_dng, write_dng
from burstsr.io.images import read_image
from burstsr.io.raw import read_frame, read_info
from burstsr.io.tags import read_tags


@pytest.fixture
def image(make_frame):
    rng = np.random.default_rng(3)
    rgb = rng.uniform(-0.1, 1.1, (96, 130, 3)).astype(np.float32)
    return Result(rgb, make_frame().info, 2.0, Noise(np.full(3, 1e-5), np.full(3, 1e-7)))


@pytest.mark.parametrize(("shape", "order"), [*itertools.product([(64, 64), (66, 70), (32, 600), (530, 34)], BAYER_ORDERS)])
def test_a_frame_comes_back_exactly(tmp_path, make_frame, shape, order):
    frame = make_frame(shape, order)
    write_cfa_dng(tmp_path / "a.dng", frame)
    again = read_frame(tmp_path / "a.dng")
    assert np.array_equal(again.mosaic, frame.mosaic)
    for name in ("shape", "cfa_order", "camera", "iso", "aperture", "focal_mm", "time", "orientation"):
        assert getattr(again.info, name) == getattr(frame.info, name)
    assert again.info.exposure_s == pytest.approx(frame.info.exposure_s, abs=1e-9)
    assert np.array_equal(again.info.levels.black, frame.info.levels.black)
    assert again.info.levels.white == frame.info.levels.white
    assert np.array_equal(again.info.noise.alpha, frame.info.noise.alpha)
    assert np.array_equal(again.info.noise.beta, frame.info.noise.beta)
    np.testing.assert_allclose(again.info.colour.as_shot_neutral, frame.info.colour.as_shot_neutral, atol=1e-6)
    np.testing.assert_allclose(again.info.colour.xyz_to_camera, frame.info.colour.xyz_to_camera, atol=1e-6)
    assert read_info(tmp_path / "a.dng").cfa_order == order
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        assert np.array_equal(raw.raw_image_visible, frame.mosaic)
        assert raw.white_level == 16383
        assert "".join("RGBG"[c] for c in raw.raw_colors_visible[:2, :2].ravel()) == order


@pytest.mark.parametrize("white", [255, 1023, 4095, 65535])
def test_bits_follow_the_white_level(tmp_path, make_frame, white):
    frame = make_frame(levels=Levels(np.full((2, 2), 16.0), float(white)))
    write_cfa_dng(tmp_path / "a.dng", frame, bits=10)
    assert np.array_equal(read_frame(tmp_path / "a.dng").mosaic, frame.mosaic)


@pytest.mark.parametrize("orientation", [*range(1, 9)])
def test_orientation_is_kept(tmp_path, make_frame, image, orientation):
    write_cfa_dng(tmp_path / "a.dng", make_frame(orientation=orientation))
    assert read_info(tmp_path / "a.dng").orientation == orientation
    write_dng(tmp_path / "b.dng", replace(image, reference=replace(image.reference, orientation=orientation)))
    with tifffile.TiffFile(tmp_path / "b.dng") as file:
        assert file.pages[0].tags["Orientation"].value == orientation


def test_an_image_is_rounded_and_clipped(tmp_path, image):
    write_dng(tmp_path / "p.dng", image)
    with tifffile.TiffFile(tmp_path / "p.dng") as file:
        pixels = file.pages[0].asarray()
    assert np.array_equal(pixels, np.rint(np.clip(image.image, 0, 1) * np.float32(65535)).astype(np.uint16))
    rgb, was_integer = read_image(tmp_path / "p.dng")
    assert not was_integer
    np.testing.assert_allclose(rgb, np.clip(image.image, 0, 1), atol=1e-5)
    with rawpy.imread(str(tmp_path / "p.dng")) as raw:
        assert raw.other.iso_speed == 400
        assert raw.camera_whitebalance[:3] == pytest.approx([2, 1, 1 / 0.7], rel=1e-5)


def test_reference_tags_are_inherited(tmp_path, make_frame, image):
    copied = {
        t.XMP: tiff.Entry(tiff.BYTE, b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
        50735: tiff.text("serial 7"),
        50964: tiff.rationals([0.5, 0.3, 0.16, 0.2, 0.7, 0.1, 0.0, 0.1, 0.7251], tiff.SRATIONAL),
    }
    dropped = {t.OPCODES_3: tiff.Entry(tiff.UNDEFINED, bytes(4)), 37500: tiff.Entry(tiff.UNDEFINED, bytes(9)), 50740: tiff.Entry(tiff.BYTE, bytes(9))}
    write_cfa_dng(tmp_path / "ref.dng", make_frame(), extra={**copied, **dropped})
    write_dng(tmp_path / "p.dng", replace(image, reference=read_info(tmp_path / "ref.dng")))
    found, reference = read_tags(tmp_path / "p.dng"), read_tags(tmp_path / "ref.dng")
    for code, entry in copied.items():
        assert found.first[code] == entry
    assert not set(dropped) & (set(found.first) | set(found.exif))
    for code in (t.MATRIX_1, t.NEUTRAL, t.MAKE, t.MODEL, t.UNIQUE_MODEL):
        assert found.first[code] == reference.first[code]
    assert found.exif == reference.exif
    assert found.numbers(t.NOISE_PROFILE) == (1e-5, 1e-7) * 3
    assert found.first[t.SOFTWARE].text().startswith("burstsr ")


def test_gps_is_inherited(tmp_path, make_frame, image, run):
    write_cfa_dng(tmp_path / "ref.dng", make_frame())
    run("exiftool", "-q", "-GPSLatitude=48.1", "-GPSLatitudeRef=N", "-GPSLongitude=11.5", "-GPSLongitudeRef=E", "-overwrite_original", tmp_path / "ref.dng")
    write_dng(tmp_path / "p.dng", replace(image, reference=read_info(tmp_path / "ref.dng")))
    assert run("exiftool", "-n", "-s3", "-GPSLatitude", tmp_path / "p.dng").strip() == "48.1"
    assert "OK" in run("exiftool", "-validate", "-warning", "-a", tmp_path / "p.dng")


def test_a_camera_without_a_matrix_gets_the_nominal_one(tmp_path, image):
    write_dng(tmp_path / "p.dng", replace(image, reference=replace(image.reference, colour=Colour(np.ones(3)))))
    np.testing.assert_allclose(read_tags(tmp_path / "p.dng").numbers(t.MATRIX_1), NOMINAL_XYZ_TO_CAMERA.ravel(), atol=1e-6)


@pytest.mark.parametrize("kind", ["picture", "frame"])
def test_other_programs_find_no_fault(tmp_path, make_frame, image, run, kind, capfd):
    path = tmp_path / "a.dng"
    if kind == "picture":
        write_dng(path, image)
    else:
        write_cfa_dng(path, make_frame((200, 270)))
    report = run("exiftool", "-validate", "-warning", "-error", "-a", path)
    assert report.split(":")[1].strip() == "OK"
    dngpy = pytest.importorskip("dngpy")
    capfd.readouterr()
    assert dngpy.Dng(str(path)).raw_pixels.shape[:2] == ((96, 130) if kind == "picture" else (200, 270))
    assert "arning" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("name", ["colorchart.dng", "CRW_0117.CRW", "P003910.KDC", "../seestar_m94/light_00.dng"])
def test_real_references_validate(tmp_path, data, image, run, name):
    write_dng(tmp_path / "p.dng", replace(image, reference=read_info(data / "raw_singles" / name)))
    assert run("exiftool", "-validate", "-warning", "-error", "-a", tmp_path / "p.dng").split(":")[1].strip() == "OK"


def test_grey_renders_grey_in_dcraw(tmp_path, image, run):
    rgb = np.full((64, 64, 3), 0.2, np.float32) * image.reference.colour.as_shot_neutral.astype(np.float32)
    write_dng(tmp_path / "g.dng", replace(image, image=rgb))
    run("dcraw_emu", "-w", "-W", "-o", "1", "-T", "-6", "-g", "1", "1", "-Z", tmp_path / "g.tiff", tmp_path / "g.dng")
    rendered = tifffile.imread(tmp_path / "g.tiff")[32, 32] / 65535
    assert rendered == pytest.approx([0.2, 0.2, 0.2], abs=0.002)


def test_nothing_is_left_behind_by_a_failed_write(tmp_path, image, monkeypatch):
    (tmp_path / "p.dng").write_bytes(b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiff, "write_tiff", fail)
    with pytest.raises(OutputError, match=r"p\.dng.*No space left"):
        write_dng(tmp_path / "p.dng", image)
    assert [p.name for p in tmp_path.iterdir()] == ["p.dng"]
    assert (tmp_path / "p.dng").read_bytes() == b"old"


def test_a_folder_in_the_way_is_an_output_error(tmp_path, image):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_dng(tmp_path / "file" / "p.dng", image)
    (tmp_path / "p.dng").mkdir()
    with pytest.raises(OutputError, match=r"p\.dng"):
        write_dng(tmp_path / "p.dng", image)
    assert Path(tmp_path / "p.dng").is_dir()


def test_a_negative_black_level_is_refused_by_name(tmp_path, make_frame):
    """Fault 6: DNG's black level is unsigned; it was an OverflowError, which reported an image that is too large."""
    frame = make_frame()
    frame = frame.with_info(replace(frame.info, levels=Levels(np.full((2, 2), -5.0), frame.info.levels.white)))
    with pytest.raises(OutputError, match="dark.dng: a DNG's black level must be at least 0, not -5"):
        write_cfa_dng(tmp_path / "dark.dng", frame)
