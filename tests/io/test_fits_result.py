"""Results as FITS: values, maps, and the reference's WCS, scaled."""

from dataclasses import replace

import numpy as np
import pytest

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import OutputError
from burstsr.core.report import Report
from burstsr.core.result import Result
from burstsr.io.discover import discover
from burstsr.io.fits_header import is_own_fits
from burstsr.io.fits_result import scaled_wcs, write_fits
from burstsr.io.raw import read_info

fits = pytest.importorskip("astropy.io.fits")
from astropy.wcs import WCS  # noqa: E402

SHAPE = (36, 44)


def sky(sip=False):
    """A header with a rotated celestial WCS, and a SIP distortion."""
    header = fits.Header()
    suffix = "-SIP" if sip else ""
    for name, value in {"CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}", "CRVAL1": 192.7, "CRVAL2": 41.1, "CRPIX1": 20.3, "CRPIX2": 15.8}.items():
        header[name] = value
    for name, value in {"CD1_1": -6e-4, "CD1_2": 1e-4, "CD2_1": 1e-4, "CD2_2": 6e-4}.items():
        header[name] = value
    if sip:
        for name, value in {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "A_1_1": -2e-4, "B_0_2": 3e-4}.items():
            header[name] = value
    return header


@pytest.fixture
def result(rng, tmp_path):
    header = sky()
    for name, value in {"INSTRUME": "Cam", "OBJECT": "M 94", "EXPTIME": 10.0, "XPIXSZ": 2.9, "ROWORDER": "BOTTOM-UP", "BAYERPAT": "RGGB", "EGAIN": 0.5}.items():
        header[name] = value
    path = tmp_path / "light_3.fits"
    fits.PrimaryHDU(rng.integers(0, 65536, SHAPE).astype(np.uint16), header).writeto(path)
    image = rng.normal(0.1, 0.2, (72, 88, 3)).astype(np.float32)
    report = Report(
        extra={
            "settings": {"scale": 2.0, "align": {"refine": True}},
            "frames": [{"file": "light_3.fits", "reference": True}, {"file": "späť\n.fits", "reference": False}],
        }
    )
    return Result(image, read_info(path), 2.0, report=report, weight=image + 3, variance=np.abs(image))


def test_values_are_kept_plane_by_plane(result, tmp_path):
    write_fits(tmp_path / "out.fits", result)
    with fits.open(tmp_path / "out.fits") as file:
        for name, image in (("SCI", result.image), ("WHT", result.weight), ("VAR", result.variance)):
            assert np.array_equal(np.moveaxis(file[name].data, 0, 2), image) and file[name].data.dtype == ">f4"
        header = file[0].header
        assert header["EXTNAME"] == "SCI" and header["OBJECT"] == "M 94" and header["EXPTIME"] == 10 and header["XPIXSZ"] == 1.45
        assert header["ROWORDER"] == "BOTTOM-UP" and "BAYERPAT" not in header and header["EGAIN"] == 0.5 * 65535
        history = list(header["HISTORY"])
        assert "align.refine = True" in history and "frame sp???.fits" in history and "frame light_3.fits (reference)" in history


def test_every_point_of_the_sky_stays_where_it_was(result, tmp_path):
    write_fits(tmp_path / "out.fits", result)
    with fits.open(tmp_path / "out.fits") as file:
        for unit in file:
            there = WCS(unit.header, naxis=2)
            raw = np.array([(0.0, 0.0), (10.5, 3.25), (43, 35)])  # x, y; a pixel's centre is a whole number
            np.testing.assert_allclose(there.wcs_pix2world((raw + 0.5) * 2 - 0.5, 0), WCS(sky()).wcs_pix2world(raw, 0), atol=1e-10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scale", [1.5, 2.0, 3.0])
def test_distortions_are_scaled_too(scale):
    raw = np.array([(0.0, 0.0), (10.5, 3.25), (43, 35)])
    scaled = fits.Header(list(scaled_wcs(sky(sip=True), scale).items()))
    np.testing.assert_allclose(WCS(scaled).all_pix2world((raw + 0.5) * scale - 0.5, 0), WCS(sky(sip=True)).all_pix2world(raw, 0), atol=1e-9)


def test_a_wcs_without_pixel_sizes_has_degrees():
    header = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 1.0, "CRPIX2": 1.0}
    assert scaled_wcs(header, 2.0)["CDELT1"] == 0.5 and scaled_wcs({"CRPIX1": 1.0}, 2.0) == {}


def test_grey_results_have_one_plane_and_need_no_file_of_the_reference(tmp_path, rng):
    info = FrameInfo(tmp_path / "gone.dng", SHAPE, Cfa.parse("mono"), Levels(np.zeros((2, 2)), 4095.0), Colour(np.ones(1)), camera="Cam", exposure_s=2.0)
    image = rng.random((36, 44, 1), np.float32)
    write_fits(tmp_path / "out.fits", Result(image, info, 1.0))
    with fits.open(tmp_path / "out.fits") as file:
        assert len(file) == 1 and np.array_equal(file[0].data, image[..., 0]) and file[0].header["EXPTIME"] == 2


def test_the_same_result_gives_the_same_bytes_and_is_no_frame(result, tmp_path):
    (tmp_path / "out").mkdir()
    write_fits(tmp_path / "out" / "a.fits", result)
    first = (tmp_path / "out" / "a.fits").read_bytes()
    write_fits(tmp_path / "out" / "a.fits", result)
    assert (tmp_path / "out" / "a.fits").read_bytes() == first and is_own_fits(tmp_path / "out" / "a.fits")
    found = discover([tmp_path / "out"])
    assert not found.bursts and [p.kind for p in found.passed_over] == ["results of burstsr"]


def test_without_astropy_the_error_names_the_extra(result, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "astropy.io.fits", None)
    with pytest.raises(OutputError, match=r"pip install 'burstsr\[astro\]'"):
        write_fits(tmp_path / "out.fits", replace(result, weight=None))
