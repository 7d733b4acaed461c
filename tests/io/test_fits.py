"""Raw frames in FITS files, and monochrome ones in TIFF and DNG."""

import sys
from datetime import datetime

import numpy as np
import pytest
import tifffile

from burstsr.core.burst import Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import BurstError, InputFileError
from burstsr.core.noise import Noise
from burstsr.core.observation import Observation
from burstsr.io.consistency import check_burst
from burstsr.io.discover import discover, read_burst
from burstsr.io.dng import write_cfa_dng
from burstsr.io.raw import read_frame, read_info

fits = pytest.importorskip("astropy.io.fits")
SHAPE = (36, 44)


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 65536, SHAPE).astype(np.uint16)


def write(path, values, compressed=False, **cards):
    header = fits.Header()
    for name, value in cards.items():
        header[name.replace("_", "-")] = value
    unit = fits.CompImageHDU(values, header, compression_type="RICE_1") if compressed else fits.PrimaryHDU(values, header)
    fits.HDUList([fits.PrimaryHDU(), unit] if compressed else [unit]).writeto(path)
    return path


def test_a_colour_frame_with_what_is_known_of_it(pixels, tmp_path):
    known = {"BAYERPAT": "GRBG", "INSTRUME": "Seestar S50", "EXPTIME": 10.0, "GAIN": 80, "DATE_OBS": "2025-03-27T01:20:32.1234567", "CCD_TEMP": 24.5}
    path = write(tmp_path / "a.fits", pixels, EGAIN=0.25, FOCALLEN=250.0, FOCRATIO=5.0, FILTER="IRCUT", IMAGETYP="Light Frame", **known)
    frame = read_frame(path)
    assert np.array_equal(frame.mosaic, pixels) and frame.mosaic.dtype == np.uint16 and frame.mosaic.flags.c_contiguous
    info = frame.info
    assert (info.cfa.name, info.camera, info.exposure_s, info.iso, info.orientation) == ("GRBG", "Seestar S50", 10.0, 80.0, 1)
    assert info.levels == Levels(np.zeros((2, 2)), 65535.0) and (info.focal_mm, info.aperture) == (250.0, 5.0)
    assert info.time == datetime(2025, 3, 27, 1, 20, 32, 123456)
    assert info.observation == Observation(24.5, "IRCUT", "light", 0.25) and info.noise is None


def test_without_a_bayer_pattern_it_is_monochrome(pixels, tmp_path):
    frame = read_frame(write(tmp_path / "a.fit", pixels))
    assert frame.info.cfa.is_mono and frame.info.colour.as_shot_neutral.shape == (1,) and np.array_equal(frame.mosaic, pixels)


@pytest.mark.parametrize("height", [36, 37])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_the_pattern_is_that_of_the_image_the_right_way_up(rng, tmp_path, height, x, y):
    scene = rng.integers(0, 65536, (height, 44)).astype(np.uint16)  # from the top
    truth = Cfa.parse("RGGB").shifted(y, x)
    down = read_info(write(tmp_path / "down.fits", scene, BAYERPAT="RGGB", XBAYROFF=x, YBAYROFF=y, ROWORDER="TOP-DOWN"))
    up = read_frame(write(tmp_path / "up.fits", scene[::-1], BAYERPAT="RGGB", XBAYROFF=x, YBAYROFF=y, ROWORDER="BOTTOM-UP"))
    assert down.cfa == truth and (down.orientation, up.info.orientation) == (1, 4)
    assert np.array_equal(up.mosaic, scene[::-1][:36])  # in the order of the file, without an odd last row
    assert all(up.info.cfa.channel(row, column) == truth.channel(height - 1 - row, column) for row in range(4) for column in range(4))


@pytest.mark.parametrize(
    ("values", "cards", "black", "white"),
    [
        (np.array([0, 100, 255], np.uint8), {}, 0, 255),
        (np.array([0, 100, 65535], np.uint16), {"PEDESTAL": -100}, 100, 65535),
        (np.array([0, 100, 4095], np.uint16), {"SATURATE": 4095, "PEDESTAL": 64}, 64, 4095),
        (np.array([-32768, -5, 32767], np.int16), {}, 0, 32767),
    ],
)
def test_integers_of_16_bits_are_kept(tmp_path, values, cards, black, white):
    frame = read_frame(write(tmp_path / "a.fits", np.resize(values, SHAPE), **cards))
    offset = 32768 if values.dtype == np.int16 else 0
    assert np.array_equal(frame.mosaic.astype(int) - offset, np.resize(values, SHAPE))
    assert frame.info.levels == Levels(np.full((2, 2), black + offset, float), white + offset)


@pytest.mark.parametrize(
    ("values", "cards", "white"),
    [
        (np.linspace(-0.01, 1, 36 * 44).astype(np.float32), {}, 1),
        (np.linspace(-100, 60000, 36 * 44).astype(np.float32), {}, 65535),
        (np.linspace(0, 60000, 36 * 44), {"SATURATE": 62000.0}, 62000),
        (np.linspace(0, 60000, 36 * 44).astype(np.int32), {}, 65535),
    ],
)
def test_other_values_are_rescaled(tmp_path, values, cards, white):
    frame = read_frame(write(tmp_path / "a.fits", values.reshape(SHAPE), **cards))
    levels = frame.info.levels
    samples = (frame.mosaic - levels.black[0, 0]) * levels.scale()[0, 0]
    np.testing.assert_allclose(samples.ravel(), values / white, atol=1e-5)


def test_bscale_and_blank_values(tmp_path, rng, caplog):
    values = rng.uniform(0, 30000, SHAPE).astype(np.float32)
    values[3, 4] = np.nan
    unit = fits.PrimaryHDU(np.nan_to_num(values))
    unit.scale("int16", bscale=1.5, bzero=100)
    unit.writeto(tmp_path / "scaled.fits")
    frame = read_frame(write(tmp_path / "nan.fits", values))
    assert "1 pixels without a value" in caplog.text
    for found in (frame, read_frame(tmp_path / "scaled.fits")):
        x = (found.mosaic - found.info.levels.black[0, 0]) * found.info.levels.scale()[0, 0] * 65535
        sound = np.isfinite(values)
        assert np.abs(x - values)[sound].max() < 2


@pytest.mark.filterwarnings("ignore")
def test_compressed_files(pixels, tmp_path):
    frame = read_frame(write(tmp_path / "a.fits.fz", pixels, compressed=True, BAYERPAT="BGGR", EXPTIME=3.0))
    assert np.array_equal(frame.mosaic, pixels) and (frame.info.cfa.name, frame.info.exposure_s) == ("BGGR", 3.0)


def test_noise_where_gain_and_read_noise_are_known(pixels, tmp_path):
    noise = read_info(write(tmp_path / "a.fits", pixels, EGAIN=0.5, RDNOISE=2.0)).noise
    assert noise == Noise(np.array([1 / (0.5 * 65535)]), np.array([(2 / (0.5 * 65535)) ** 2]))


def test_what_is_no_frame_is_refused_with_the_reason(pixels, tmp_path):
    cases = {
        "already demosaiced": write(tmp_path / "rgb.fits", np.stack([pixels] * 3)),
        "BAYERPAT 'XTRANS'": write(tmp_path / "x.fits", pixels, BAYERPAT="XTRANS"),
        "blank": write(tmp_path / "blank.fits", np.zeros(SHAPE, np.uint16)),
        "no SATURATE": write(tmp_path / "large.fits", pixels.astype(np.float32) * 10),
        "without an image": write(tmp_path / "empty.fits", None),
    }
    (tmp_path / "run.fit").write_bytes(b"\x0e\x10" * 40)  # of a sports watch
    cases["no readable|corrupt"] = tmp_path / "run.fit"
    cases["truncated"] = tmp_path / "cut.fits"
    cases["truncated"].write_bytes(write(tmp_path / "whole.fits", pixels).read_bytes()[:4000])
    for reason, path in cases.items():
        with pytest.raises(InputFileError, match=reason):
            read_frame(path)


def test_without_astropy_the_error_names_the_extra(pixels, tmp_path, monkeypatch):
    path = write(tmp_path / "a.fits", pixels)
    monkeypatch.setitem(sys.modules, "astropy.io.fits", None)
    with pytest.raises(InputFileError, match=r"pip install 'burstsr\[astro\]'"):
        read_info(path)


def test_a_folder_of_fits_is_grouped_by_filter_and_type(rng, tmp_path):
    for n, (name, kind) in enumerate([("R", "Light Frame"), ("G", "Light Frame"), ("R", "Light Frame"), ("R", "Dark Frame"), ("G", "Light Frame")]):
        scene = rng.integers(0, 65536, SHAPE).astype(np.uint16)
        write(tmp_path / f"f{n}.fits", scene, FILTER=name, IMAGETYP=kind, DATE_OBS=f"2025-01-01T00:00:{n:02d}", EXPTIME=1.0, INSTRUME="Cam")
    found = discover([tmp_path])
    assert not found.problems
    assert sorted(tuple(info.path.name for info in burst.infos) for burst in found.bursts) == [("f0.fits", "f2.fits"), ("f1.fits", "f4.fits"), ("f3.fits",)]
    with pytest.raises(BurstError, match="filter G, but R"):
        check_burst([read_info(tmp_path / f"f{n}.fits") for n in (0, 1)])


def test_grey_tiffs_are_frames_one_a_file_or_one_a_page(rng, tmp_path):
    scenes = [rng.integers(0, 4096, SHAPE).astype(np.uint16) for _ in range(3)]
    for folder in ("files", "pages"):
        (tmp_path / folder).mkdir()
    for n, scene in enumerate(scenes):
        tifffile.imwrite(tmp_path / "files" / f"page_{n}.tif", scene, compression="zlib")
    tifffile.imwrite(tmp_path / "pages" / "stack.tif", np.stack(scenes), photometric="minisblack")
    tifffile.imwrite(tmp_path / "pages" / "colour.tif", np.stack([scenes[0]] * 3, axis=-1))  # no frame, nor is an image of 8 bits
    tifffile.imwrite(tmp_path / "pages" / "small.tif", scenes[0].astype(np.uint8))
    found = discover([tmp_path])
    assert [burst.name for burst in found.bursts] == ["files", "pages"] and not found.problems
    assert [info.path.name for info in found.bursts[1].infos] == ["stack.tif[0]", "stack.tif[1]", "stack.tif[2]"]
    for burst in (*(read_burst([info.path for info in b.infos]) for b in found.bursts), read_burst(tmp_path / "pages" / "stack.tif")):
        assert burst.info.cfa.is_mono and all(np.array_equal(frame.mosaic, scene) for frame, scene in zip(burst, scenes, strict=True))


@pytest.mark.parametrize("photometric", [34892, 1])
def test_monochrome_dngs(make_frame, tmp_path, photometric):
    from burstsr.core.burst import Colour
    from burstsr.io import tags as t
    from burstsr.io.tiff import SHORT, integers

    frame = make_frame(order="mono", colour=Colour(np.ones(1)), noise=Noise(np.array([1e-4]), np.array([1e-6])))
    write_cfa_dng(tmp_path / "a.dng", frame, extra={t.PHOTOMETRIC: integers(SHORT, photometric)})
    found = read_frame(tmp_path / "a.dng")
    assert found.info.cfa.is_mono and np.array_equal(found.mosaic, frame.mosaic)
    assert found.info.noise == frame.info.noise and found.info.colour == frame.info.colour
    np.testing.assert_allclose(found.info.levels.black, frame.info.levels.black)


def test_a_real_night_as_fits_gives_the_result_of_the_dngs(data, tmp_path):
    from dataclasses import replace

    from burstsr.core.burst import Burst
    from burstsr.pipeline import super_resolve
    from burstsr.settings import Settings

    originals, written = [], []
    for n in range(3):
        frame = read_frame(data / "seestar_m94" / f"light_{n:02d}.dng")
        cut = replace(frame, info=replace(frame.info, shape=(160, 192)), mosaic=np.ascontiguousarray(frame.mosaic[900:1060, 400:592]))
        known = {"BAYERPAT": "GRBG", "INSTRUME": cut.info.camera, "EXPTIME": cut.info.exposure_s, "DATE-OBS": cut.info.time.isoformat()}
        written.append(write(tmp_path / f"light_{n:02d}.fits", cut.mosaic, **known))
        originals.append(cut)
    burst = read_burst(written)
    for frame, original in zip(burst, originals, strict=True):
        assert np.array_equal(frame.mosaic, original.mosaic) and frame.info.levels == original.info.levels and frame.info.time == original.info.time
    coloured = Burst("m94", tuple(f.with_info(replace(f.info, colour=originals[0].info.colour)) for f in burst))  # FITS has no white balance
    settings = Settings(reference=0, measure_noise=False)
    assert np.array_equal(super_resolve(coloured, settings).image, super_resolve(Burst("m94", tuple(originals)), settings).image)
