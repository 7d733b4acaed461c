"""Display images as stored: grey or colour, with or without alpha, 8 or 16 bits, with profile and metadata; for operations that change pixels only.

`io.images` writes the program's own results; its `read_image` is this reader, always as RGB floats.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.core.orientation import orient
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.encoding import jpeg_bytes, png_bytes, writing
from burstsr.io.foreign import foreign_reader
from burstsr.io.frame_count import frame_count, page_count
from burstsr.io.icc import srgb_profile
from burstsr.io.image_size import FORMATS, check_coded
from burstsr.io.jpeg_end import is_whole
from burstsr.io.metadata_segments import jpeg_with, png_with, read_blocks
from burstsr.io.rgb_tiff import page_pixels, write_image
from burstsr.io.tiff import Directory, Entry, rationals
from burstsr.io.xmp import is_well_formed

READ = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
WRITTEN = {"png": ".png", "tiff": ".tif", "jpg": ".jpg"}
_QUALITY = 95
_NO_SIZE_OF_OLD = {40962, 40963}
_NOT_IN_TIFF = {37121, 37122, *_NO_SIZE_OF_OLD}  # of compressed images alone (EXIF 2.32, table 4)
_TYPES = {t.ICC: tiff.UNDEFINED, t.XMP: tiff.BYTE}
_KEPT_OF_TIFF = {t.DESCRIPTION, t.MAKE, t.MODEL, t.DATE_TIME, 315, 18246, 18249, 33432, t.X_RESOLUTION, t.Y_RESOLUTION, t.RESOLUTION_UNIT}


@dataclass(frozen=True)
class Display:
    """pixels: (H, W, C) uint8, uint16, or float32 (linear), upright; C: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.

    blocks: of "icc" (colour profile), "exif" (a TIFF), "xmp" (a packet) those that the file had. frames: pages or frames of the file, of which this is the
    first.
    """

    pixels: NDArray[Any]
    blocks: Mapping[str, bytes] = field(default_factory=dict)
    frames: int = 1


def read_display(path: str | Path) -> Display:
    """Read a PNG, TIFF, JPEG, BMP, WebP or GIF image, the first where there are several.

    Raises InputFileError for a missing, damaged, truncated or unknown file, and for NaN or infinite values.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputFileError(f"{file}: cannot be read ({error.strerror or error})") from error
    found = _tiff(file) if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") else _coded(file, data)
    pixels = found.pixels[:, :, None] if found.pixels.ndim == 2 else found.pixels
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or not pixels.size:
        raise InputFileError(f"{file}: pixels of shape {pixels.shape}; must be grey or RGB, with or without alpha")
    if pixels.dtype in (np.float16, np.float64):
        pixels = pixels.astype(np.float32)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputFileError(f"{file}: pixels of type {pixels.dtype}; must be 8 or 16 bits or floating point")
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise InputFileError(f"{file}: contains NaN or infinite values")
    return replace(found, pixels=np.ascontiguousarray(pixels))


def write_display(path: str | Path, kind: str, image: Display) -> None:
    """Write an image as "png", "tiff" or "jpg" (8 bits, alpha dropped), atomically. Without a profile of its own it is tagged as sRGB.

    EXIF is copied, with orientation reset and without maker notes. Raises OutputError.
    """
    pixels, blocks = image.pixels, image.blocks
    icc = blocks.get("icc") or (srgb_profile() if pixels.shape[2] >= 3 else None)
    first, inner = _upright_exif(blocks.get("exif", b""), pixels.shape)
    exif = _exif_block(first, inner) if "exif" in blocks else None
    with writing(path) as temporary:
        if kind == "tiff":
            extra = {t.ICC: icc, t.XMP: blocks.get("xmp")}
            inner[tiff.EXIF_DIRECTORY] = {code: entry for code, entry in inner[tiff.EXIF_DIRECTORY].items() if code not in _NOT_IN_TIFF}
            write_image(temporary, pixels, first | {code: Entry(_TYPES[code], data) for code, data in extra.items() if data}, inner)
        elif kind == "png":
            temporary.write_bytes(png_with(png_bytes(pixels), icc, exif, blocks.get("xmp")))
        else:
            temporary.write_bytes(jpeg_with(jpeg_bytes(path, pixels, _QUALITY), icc, exif, blocks.get("xmp")))


def _tiff(file: Path) -> Display:
    with foreign_reader(file, "not a readable TIFF"):
        with tifffile.TiffFile(file) as opened:
            pixels, count = page_pixels(opened.pages[0], file), page_count(opened.pages)
        first = _first_directory(file)
        blocks = {name: first[code].data for name, code in (("icc", t.ICC), ("xmp", t.XMP)) if code in first}
        return Display(orient(pixels, t.orientation_of(first)), _sound({**blocks, **_exif_of_tiff(file)}), count)


def _first_directory(file: Path) -> Directory:
    """Return the first directory of a TIFF; {} of a BigTIFF."""
    with file.open("rb") as opened:
        return next(iter(tiff.read_directories(opened)), {})


def _sound(blocks: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Without an XMP packet that is not well-formed: it would make that of the result invalid."""
    return {name: data for name, data in blocks.items() if name != "xmp" or is_well_formed(data)}


def _exif_of_tiff(path: Path) -> dict[str, bytes]:
    """Return block "exif" with a TIFF's tags of camera, author, exposure and location, if any."""
    with open(path, "rb") as file:
        found = tiff.read_directories(file)
        first = {code: entry for code, entry in found[0].items() if code in _KEPT_OF_TIFF} if found else {}
        inner = {code: tiff.read_directory(file, found[0][code]) for code in (tiff.EXIF_DIRECTORY, tiff.GPS_DIRECTORY) if found and code in found[0]}
    return {"exif": _exif_block(first, inner)} if first or any(inner.values()) else {}


def _coded(file: Path, data: bytes) -> Display:
    blocks = _sound(read_blocks(data, file))
    with foreign_reader(file, "cannot be read"):
        check_coded(data, file)
        if data[:4] == b"\x89PNG":
            return Display(_turned(np.asarray(imagecodecs.png_decode(data)), blocks), blocks, frame_count(data))
        if data[:2] == b"\xff\xd8":
            if not is_whole(data):
                raise InputFileError(f"{file}: truncated JPEG: the end of the image is missing")
            return Display(_turned(_jpeg_pixels(data), blocks), blocks)
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise InputFileError(f"{file}: not a readable image; supported are {FORMATS}")
    return Display(pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]] if pixels.ndim == 3 else pixels, blocks, frame_count(data))


def _jpeg_pixels(data: bytes) -> NDArray[Any]:
    pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    if pixels.ndim == 3 and pixels.shape[2] == 4:  # CMYK, which OpenCV makes RGB
        pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))[:, :, ::-1]
    return pixels


def _turned(pixels: NDArray[Any], blocks: Mapping[str, bytes]) -> NDArray[Any]:
    """Upright, by the EXIF block's orientation."""
    return orient(pixels, t.orientation_of(_directories(blocks.get("exif", b""))[0]))


def _directories(exif: bytes) -> tuple[tiff.Directory, tiff.Directory, tiff.Directory]:
    """First, Exif and GPS directory of an EXIF block; empty ones where it is damaged."""
    file = io.BytesIO(exif)
    found = tiff.read_directories(file)
    if not found:
        return {}, {}, {}
    exif_directory, gps = (tiff.read_directory(file, found[0][code]) if code in found[0] else {} for code in (tiff.EXIF_DIRECTORY, tiff.GPS_DIRECTORY))
    return found[0], exif_directory, gps


def _upright_exif(block: bytes, shape: tuple[int, ...]) -> tuple[Directory, dict[int, Directory]]:
    """First directory, and Exif and GPS directory by pointer, for upright pixels of `shape`."""
    first, exif, gps = _directories(block)
    outdated = {tiff.EXIF_DIRECTORY, tiff.GPS_DIRECTORY, t.WIDTH, t.HEIGHT, t.XMP, tiff.STRIP_OFFSETS, tiff.STRIP_COUNTS}
    first = {t.X_RESOLUTION: rationals([72]), t.Y_RESOLUTION: rationals([72])} | {code: entry for code, entry in first.items() if code not in outdated}
    first[t.ORIENTATION] = tiff.integers(tiff.SHORT, 1)
    exif = {code: entry for code, entry in exif.items() if code not in (37500, 40965, *_NO_SIZE_OF_OLD)}
    exif |= {40962: tiff.integers(tiff.LONG, shape[1]), 40963: tiff.integers(tiff.LONG, shape[0])}
    return first, {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: gps}


def _exif_block(first: Directory, inner: Mapping[int, Directory]) -> bytes:
    file = io.BytesIO()
    tiff.write_directories(file, first, inner)
    return file.getvalue()
