"""Camera and exposure metadata of results: from the frame's description, and from the reference's own file (EXIF 2.32)."""

from __future__ import annotations

import io

from burstsr import __version__
from burstsr.core.burst import FrameInfo
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.inherited_tags import DNG_KEPT, Inherited, inherited
from burstsr.io.tiff import LONG, SHORT, UNDEFINED, Directory, Entry, integers, rationals, text

_VERSION = b"0230"
_OF_DNG = {42034: 50736, 42033: 50735}  # LensSpecification, BodySerialNumber: DNG has its own tags for them
_SRGB, _UNCALIBRATED = 1, 0xFFFF
_LONGEST_IN_BLOCK = 1 << 14  # bytes of a tag in a JPEG, whose whole EXIF has 64 kilobytes


def camera_tags(info: FrameInfo) -> Directory:
    """Make, model and time, as the first directory has them; nothing where they are unknown."""
    directory = {t.MAKE: text(info.camera.split()[0]), t.MODEL: text(info.camera)} if info.camera else {}
    if info.time is not None:
        directory[t.DATE_TIME] = text(f"{info.time:%Y:%m:%d %H:%M:%S}")
    return directory


def exposure_tags(info: FrameInfo) -> Directory:
    """An Exif directory of what is known of the exposure."""
    directory: dict[int, Entry] = {t.EXIF_VERSION: Entry(UNDEFINED, _VERSION)}
    for code, value in ((t.EXPOSURE, info.exposure_s), (t.F_NUMBER, info.aperture), (t.FOCAL, info.focal_mm)):
        if 0 < value < 2**32:  # what a fraction holds; more is nonsense of a broken file
            directory[code] = rationals([value])
    if info.iso > 0:
        directory[t.ISO] = integers(SHORT, min(round(info.iso), 65535))
    if info.time is not None:
        directory[t.TAKEN] = text(f"{info.time:%Y:%m:%d %H:%M:%S}")
        if info.time.microsecond:
            directory[t.SUBSECONDS_TAKEN] = text(f"{info.time.microsecond:06d}")
    return directory


def with_version(exif: Directory) -> Directory:
    """The Exif directory, its version at least that of the tags that `exposure_tags` and `inherited` put in."""
    stated = exif[t.EXIF_VERSION].data if t.EXIF_VERSION in exif else b""
    usable = len(stated) == len(_VERSION) and stated.isdigit()
    return {**exif, t.EXIF_VERSION: Entry(UNDEFINED, max(stated, _VERSION) if usable else _VERSION)}


def shot_tags(info: FrameInfo | None, shape: tuple[int, ...], *, upright: bool, srgb: bool) -> Inherited:
    """Directories of a TIFF, or of the EXIF in another file, for a result of `shape` (H, W, ...) whose reference is `info`.

    upright: rotated by the reference's orientation, which is then omitted from the tags. srgb: a display image; else its colours are the camera's.
    """
    code = info.orientation if info else 1
    turned = upright and code >= 5
    found = Inherited({}, {}, {})
    if info:
        height, width = info.shape[::-1] if turned else info.shape
        gain = (shape[1] / width, shape[0] / height)
        found = inherited(info.path, gain[::-1] if turned else gain)
        if turned:
            found.exif.update({b: found.exif[a] for a, b in ((41486, 41487), (41487, 41486)) if {41486, 41487} <= set(found.exif)})
    first = {**(camera_tags(info) if info else {}), **{c: entry for c, entry in found.first.items() if c not in {*DNG_KEPT, t.XMP}}}
    first |= {
        t.ORIENTATION: integers(SHORT, 1 if upright else code),
        t.X_RESOLUTION: rationals([72]),
        t.Y_RESOLUTION: rationals([72]),
        t.RESOLUTION_UNIT: integers(SHORT, 2),
        t.SOFTWARE: text(f"burstsr {__version__}"),
    }
    from_dng = {code: found.first[other] for code, other in _OF_DNG.items() if other in found.first}
    exif = {**(exposure_tags(info) if info else {}), **from_dng, **found.exif}
    exif |= {40960: Entry(UNDEFINED, b"0100"), 40961: integers(SHORT, _SRGB if srgb else _UNCALIBRATED)}  # FlashpixVersion, ColorSpace
    return Inherited(first, with_version(exif), found.gps)


def exif_block(info: FrameInfo | None, shape: tuple[int, ...]) -> bytes:
    """A TIFF of no pixels for a JPEG or PNG of an upright display image; very long tags are left out."""
    first, exif, gps = shot_tags(info, shape, upright=True, srgb=True)
    first[531] = integers(SHORT, 1)  # YCbCrPositioning: centred
    exif |= {
        37121: Entry(UNDEFINED, b"\1\2\3\0"),  # ComponentsConfiguration: Y Cb Cr
        40962: integers(LONG, shape[1]),
        40963: integers(LONG, shape[0]),
    }
    first, exif, gps = ({code: entry for code, entry in d.items() if len(entry.data) <= _LONGEST_IN_BLOCK} for d in (first, exif, gps))
    file = io.BytesIO()
    tiff.write_directories(file, first, {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: gps})
    return file.getvalue()
