"""FITS output: the result (SCI), its effective samples (WHT) and noise variance (VAR), with the reference's header and its WCS, scaled."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.core.burst import FrameInfo
from burstsr.core.errors import BurstsrError, InputFileError, OutputError
from burstsr.core.result import Result
from burstsr.io.atomic import atomic
from burstsr.io.fits_header import Header, astropy_fits, is_fits, number, read_header

_KEPT = (
    *("OBJECT", "TELESCOP", "INSTRUME", "OBSERVER", "OBSERVAT", "SITENAME", "FILTER", "DATE-OBS", "DATE-AVG", "DATE-END", "DATE-LOC", "MJD-OBS", "MJD-AVG"),
    *("EXPTIME", "GAIN", "OFFSET", "ISOSPEED", "CCD-TEMP", "SET-TEMP", "XBINNING", "YBINNING", "FOCALLEN", "FOCRATIO", "APTDIA", "APERTURE", "AIRMASS"),
    *("RA", "DEC", "OBJCTRA", "OBJCTDEC", "CENTALT", "CENTAZ", "OBJCTROT", "PIERSIDE", "SITELAT", "SITELONG", "SITEELEV", "LAT-OBS", "LONG-OBS", "ALT-OBS"),
)
_PIXEL_SIZES = ("XPIXSZ", "YPIXSZ", "PIXSIZE1", "PIXSIZE2", "PIXSCALE", "SECPIX", "SECPIX1", "SECPIX2", "SCALE")
_WCS = re.compile(r"(CTYPE|CUNIT|CRVAL|CROTA|CNAME)[12]|(PC|PV)[12]_\d+|LONPOLE|LATPOLE|EQUINOX|RADESYS|WCSNAME|(A|B|AP|BP)_ORDER")
_SIP = re.compile(r"(A|B|AP|BP)_(\d+)_(\d+)")
_BY_PIXEL = re.compile(r"CDELT[12]|CD[12]_[12]")
_TITLES = {
    "SCI": "linear values; 0 = black, 1 = saturation of a raw sample",
    "WHT": "effective number of samples",
    "VAR": "noise variance of SCI",
}


def write_fits(path: str | Path, result: Result) -> None:
    """Write a result as float32 FITS: its image, first, and where it has maps (`keep_maps`) also WHT and VAR; RGB as three planes, grey as one.

    Values as in `Result`, neither clipped, white-balanced nor oriented: rows in the order of the reference. Needs the extra `astro`. Raises OutputError.
    """
    try:
        fits = astropy_fits(Path(path))
    except InputFileError as error:
        raise OutputError(f"{path}: writing FITS requires the astropy package: pip install 'burstsr[astro]'") from error
    header = _header(fits, result)
    planes = {"SCI": result.image, "WHT": result.weight, "VAR": result.variance}
    with atomic(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            units = []
            for name, image in planes.items():
                if image is not None:
                    units.append(_unit(fits, name, image, header if name == "SCI" else _wcs_only(fits, header)))
            fits.HDUList(units).writeto(temporary, overwrite=True)
        except BurstsrError:
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise OutputError(f"{path}: cannot be encoded ({error})") from error


def scaled_wcs(header: Mapping[str, Any], scale: float, origin: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """Return the WCS keywords of an image of `scale` output pixels per pixel of the image with `header`; {} where that has no celestial WCS.

    origin: (y, x) of the image's first pixel in the image with `header`.
    FITS counts pixel centres from 1: CRPIX' = scale (CRPIX - origin - 1/2) + 1/2. Distortions of SIP are polynomials of pixels.
    """
    if not header.get("CTYPE1") or not header.get("CTYPE2"):
        return {}
    found: dict[str, Any] = {}
    for name, value in header.items():
        if _WCS.fullmatch(name):
            found[name] = value
        elif _BY_PIXEL.fullmatch(name):
            found[name] = value / scale
        elif sip := _SIP.fullmatch(name):
            found[name] = value * scale ** (1 - int(sip[2]) - int(sip[3]))
    if not any(_BY_PIXEL.fullmatch(name) for name in found):
        found |= {"CDELT1": 1 / scale, "CDELT2": 1 / scale}
    first = {"CRPIX1": origin[1], "CRPIX2": origin[0]}
    return found | {name: scale * (float(header.get(name, 0.0)) - start - 0.5) + 0.5 for name, start in first.items()}


def _unit(fits: Any, name: str, image: NDArray[np.float32], header: Header) -> Any:  # noqa: ANN401  astropy's HDU
    planes = np.ascontiguousarray(np.moveaxis(image, 2, 0) if image.shape[2] > 1 else image[..., 0], np.float32)
    unit = (fits.PrimaryHDU if name == "SCI" else fits.ImageHDU)(planes, header)
    unit.header["EXTNAME"] = (name, _TITLES[name])
    return unit


def _header(fits: Any, result: Result) -> Header:  # noqa: ANN401  astropy.io.fits
    """Return the header of SCI."""
    info, header = result.reference, fits.Header()
    source = _source(info)
    header["CREATOR"] = (f"burstsr {__version__}", "program that made this image")
    for name, value, comment in _facts(info):
        header[name] = (value, comment)
    if source is not None:
        for name in _KEPT:
            if name in source:
                header[name] = (source[name], source.comments[name])
        for name in _PIXEL_SIZES:
            value = number(source, name)
            if value is not None:
                header[name] = (value / result.scale, source.comments[name])
    header["ROWORDER"] = ("BOTTOM-UP" if source is not None and info.orientation == 4 else "TOP-DOWN", "order of the rows")
    header["SATURATE"] = (1.0, "value at which a raw sample saturates")
    header["DRIZSCAL"] = (float(result.scale), "pixels per raw pixel, per axis")
    if info.observation.gain_e_per_dn is not None:
        span = info.levels.white - float(info.levels.black.mean())
        header["EGAIN"] = (info.observation.gain_e_per_dn * span, "electrons of a raw sample per unit")
    used = result.report.frames_used
    if used:
        header["NCOMBINE"] = (used, "number of frames merged")
        header["STACKCNT"] = (used, "number of frames merged")
        header["LIVETIME"] = (used * info.exposure_s, "[s] exposure of all frames merged")
    for name, value in scaled_wcs(source, result.scale, result.origin).items() if source is not None else ():
        header[name] = value
    for line in _history(result):
        header.add_history(_ascii(line))
    return header


def _source(info: FrameInfo) -> Header | None:
    """Return the header of the reference's file, if that is a FITS file and there."""
    if not is_fits(info.path):
        return None
    try:
        return read_header(info.path)
    except InputFileError:
        return None


def _facts(info: FrameInfo) -> Iterator[tuple[str, Any, str]]:
    """Yield keyword, value and comment of what is known of the reference."""
    if info.camera:
        yield "INSTRUME", _ascii(info.camera), "camera"
    if info.time is not None:
        yield "DATE-OBS", info.time.isoformat(), "start of the reference frame"
    if info.exposure_s:
        yield "EXPTIME", info.exposure_s, "[s] exposure of a frame"
    if info.focal_mm:
        yield "FOCALLEN", info.focal_mm, "[mm] focal length"
    if info.iso:
        yield "ISOSPEED", info.iso, "ISO"


def _ascii(text: str) -> str:
    """Return text as FITS headers take it: printable ASCII."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def _wcs_only(fits: Any, header: Header) -> Header:  # noqa: ANN401
    own = fits.Header()
    for name in scaled_wcs(header, 1.0):
        own[name] = header[name]
    own["ROWORDER"] = header["ROWORDER"]
    return own


def _history(result: Result) -> Iterator[str]:
    """Yield what was done: the frames, the calibration and the settings."""
    report = result.report.to_dict()
    if result.provenance is not None:
        yield result.provenance.how
    for frame in report.get("frames", ()):
        yield f"frame {frame['file']}" + (" (reference)" if frame["reference"] else "")
    for name, source in (report.get("known") or {}).items():
        yield f"{name}: {source}"
    for name, value in _flat(report.get("settings") or {}):
        yield f"{name} = {value}"


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
