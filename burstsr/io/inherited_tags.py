"""Tags of the reference frame that a result inherits.

The result is a new image of the same scene by the same camera: tags of camera, colour, lens, location and time remain valid; those of the mosaic's
layout, levels, opcodes, previews, digests and maker-note offsets do not.
"""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from burstsr.core.errors import OutputError
from burstsr.io import tags as t
from burstsr.io.tags import FileTags, read_tags
from burstsr.io.tiff import ASCII, DOUBLE, FLOAT, RATIONAL, SRATIONAL, Directory, Entry, rationals

_MAKER_NOTE, _INTEROPERABILITY, _DESCRIPTION = 37500, 40965, 270
_OF_A_LAYOUT = ('{"shape"', "shape=", "ImageJ=", "<?xml", "<OME")  # how descriptions begin that tell readers how pixels are stored
_TIFF_KEPT = {270, t.MAKE, t.MODEL, t.ORIENTATION, t.DATE_TIME, 315, t.XMP, 18246, 18249, 33432}
_TIFF_EP = set(range(37387, 37400)) - {37396}
_EXIF_RANGES = (range(33434, 33438), range(34850, 34853), range(34854, 34868), range(36864, 37523), range(40960, 42241))
_FOCAL_PLANE = (41486, 41487)  # pixels per unit along x and y
_PIXEL_PLACES = {37396, 41492}  # SubjectArea, SubjectLocation
_FIRST_EXIF = 33434  # ExposureTime; lower codes in an Exif directory are strays of the first
_EXIF_DROPPED = {_MAKER_NOTE, _INTEROPERABILITY, 40962, 40963, 37121, 37122, 34859, *_TIFF_EP, *_PIXEL_PLACES}
DNG_KEPT = {
    *(50708, 50709, 50721, 50722, 50723, 50724, 50725, 50726, 50727, 50728, 50729, 50730, 50731, 50732, 50734, 50735, 50736, 50739),  # model to ShadowScale
    *(50778, 50779, 50827, 50831, 50832, 50833, 50834, 50879),  # illuminants, OriginalRawFileName, ICC profiles, ColorimetricReference
    *(50931, 50932, 50934, 50936, 50937, 50938, 50939, 50940, 50941, 50942, 50964, 50965, 50981, 50982),  # signatures, camera profile
    *(51107, 51108, 51109, 51110),  # profile encodings, BaselineExposureOffset, DefaultBlackRender
}
_COLOUR_TAGS = {t.MATRIX_1, t.MATRIX_2, t.CALIBRATION_1, t.CALIBRATION_2, 50725, 50726, t.ANALOG_BALANCE, t.ILLUMINANT_1, t.ILLUMINANT_2, 50964, 50965}
_PROFILE_TAGS = {t.NEUTRAL, t.WHITE_XY, 50831, 50832, 50833, 50834, 50879, 50931, 50932, *range(50934, 50943), 50981, 50982, 51107, 51108}
_UNKNOWN_IF_ZERO = {t.EXPOSURE, t.F_NUMBER, t.ISO, t.FOCAL}
_UNKNOWN_IS_ZERO_BY_ZERO = {50736, 42034}  # lens descriptions


class Inherited(NamedTuple):
    """First, Exif and GPS directory; empty where the reference is gone or has no tags."""

    first: Directory
    exif: Directory
    gps: Directory


def inherited(path: Path, gain: tuple[float, float] = (1.0, 1.0)) -> Inherited:
    """Tags for a result whose reference is the raw file `path`. gain: its pixels per raw pixel along x and y, by which resolutions grow."""
    try:
        tags = read_tags(path) if path.is_file() else FileTags()
    except (OSError, ValueError):
        tags = FileTags()
    kept = _TIFF_KEPT | DNG_KEPT if tags.is_dng else _TIFF_KEPT
    first = {code: entry for code, entry in tags.first.items() if code in kept and not (code == _DESCRIPTION and entry.text().startswith(_OF_A_LAYOUT))}
    if t.MATRIX_1 not in first:
        first = {code: entry for code, entry in first.items() if code not in _COLOUR_TAGS}
    stray = {code: entry for code, entry in tags.first.items() if any(code in codes for codes in _EXIF_RANGES)}
    exif = _sound({code: entry for code, entry in {**stray, **tags.exif}.items() if code >= _FIRST_EXIF and code not in _EXIF_DROPPED})
    for code, times in zip(_FOCAL_PLANE, gain, strict=True):
        if code in exif:
            with suppress(OutputError):  # more pixels per inch than a file can say
                exif[code] = rationals([value * times for value in exif.pop(code).numbers()])
    return Inherited(_sound(first), exif, _sound(tags.gps))


def without_colour(first: Directory) -> Directory:
    """Return a first directory without what describes the camera's colour: matrices, illuminants, profiles and white point."""
    return {code: entry for code, entry in first.items() if code not in _COLOUR_TAGS | _PROFILE_TAGS}


def _sound(directory: Directory) -> Directory:
    """Without empty texts, fractions by zero and exposures of zero, which readers warn of; texts end in NUL."""
    sound = {code: entry for code, entry in directory.items() if entry.count and not _hollow(code, entry)}
    return {code: Entry(ASCII, entry.data.rstrip(b"\0") + b"\0") if entry.kind == ASCII else entry for code, entry in sound.items()}


def _hollow(code: int, entry: Entry) -> bool:
    if entry.kind == ASCII:
        return not entry.text()
    if code in _UNKNOWN_IF_ZERO:
        return not any(entry.numbers())
    if entry.kind in (FLOAT, DOUBLE):
        return not all(math.isfinite(v) for v in entry.numbers())
    return entry.kind in (RATIONAL, SRATIONAL) and code not in _UNKNOWN_IS_ZERO_BY_ZERO and any(math.isnan(v) for v in entry.numbers())
