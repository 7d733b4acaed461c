"""Reading and writing of display and linear images. Every writer is atomic and raises OutputError, every reader InputFileError, naming the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import FrameInfo
from burstsr.core.errors import InputFileError, OutputError
from burstsr.core.provenance import Provenance
from burstsr.core.result import Result
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.display import read_display
from burstsr.io.encoding import png_bytes, writing
from burstsr.io.exif import exif_block, shot_tags
from burstsr.io.icc import srgb_profile
from burstsr.io.jpeg_strips import jpeg_pieces
from burstsr.io.linear_dng import CAMERA_LINEAR, GREY_LINEAR, camera_colours, read_linear_dng
from burstsr.io.metadata_segments import jpeg_with, png_with
from burstsr.io.rgb_tiff import write_image
from burstsr.io.xmp import packet


class LoadedImage(NamedTuple):
    """An image as read. rgb: (H, W, 3) float32. was_integer: integers of a display image, mapped to 0 .. 1; False: linear values."""

    rgb: NDArray[np.float32]
    was_integer: bool


def write_tiff(path: str | Path, srgb: NDArray[np.uint8] | NDArray[np.uint16], info: FrameInfo | None = None, provenance: Provenance | None = None) -> None:
    """(H, W, 3) uint8 or uint16 sRGB, upright, as a TIFF with ICC profile; all that is known of the shot of `info`, XMP from `provenance`.

    (H, W, 1): grey, without a profile.
    """
    _check(path, srgb, np.uint8, np.uint16)
    first, exif, gps = shot_tags(info, srgb.shape, upright=True, srgb=True)
    first |= {**({t.ICC: tiff.Entry(tiff.UNDEFINED, srgb_profile())} if srgb.shape[2] == 3 else {}), **_xmp_tag(provenance)}
    with writing(path) as temporary:
        write_image(temporary, srgb, first, {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: gps})


def write_linear_tiff(path: str | Path, rgb: NDArray[np.float32], provenance: Provenance | None = None) -> None:
    """(H, W, 3) linear values as a float32 TIFF, exactly as they are; XMP from `provenance`."""
    _check(path, rgb, np.float32)
    with writing(path) as temporary:
        write_image(temporary, rgb, {**shot_tags(None, rgb.shape, upright=True, srgb=False).first, **_xmp_tag(provenance)})


def write_camera_tiff(path: str | Path, image: Result) -> None:
    """Write a result as a float32 TIFF: linear camera RGB, or one channel of a monochrome sensor, neither clipped, white-balanced nor rotated.

    `linear_dng.read_linear_tiff` reads camera RGB.
    WhiteLevel 1 and the description define the scale, AsShotNeutral and ColorMatrix1 the colour space; the orientation is in the tag.
    """
    _check(path, image.image, np.float32)
    info = image.reference
    first, exif, gps = shot_tags(info, image.image.shape, upright=False, srgb=False)
    caption = first[t.DESCRIPTION].text() if t.DESCRIPTION in first else ""
    kind = GREY_LINEAR if info.cfa.is_mono else CAMERA_LINEAR
    first |= {t.DESCRIPTION: tiff.text(f"{caption}. {kind}" if caption else kind), **camera_colours(info), **_xmp_tag(image.provenance)}
    with writing(path) as temporary:
        write_image(temporary, np.ascontiguousarray(image.image), first, {tiff.EXIF_DIRECTORY: exif, tiff.GPS_DIRECTORY: gps})


def _xmp_tag(provenance: Provenance | None) -> tiff.Directory:
    return {t.XMP: tiff.Entry(tiff.BYTE, packet(provenance))} if provenance else {}


def write_png(path: str | Path, srgb: NDArray[np.uint8] | NDArray[np.uint16], provenance: Provenance | None = None, info: FrameInfo | None = None) -> None:
    """(H, W, 3) uint8 or uint16 sRGB, upright, as PNG with ICC profile and the EXIF of `info`; XMP from `provenance`. (H, W, 1): grey, without a profile."""
    _check(path, srgb, np.uint8, np.uint16)
    with writing(path) as temporary:
        grey = srgb.shape[2] == 1
        exif = exif_block(info, srgb.shape) if info else None
        temporary.write_bytes(png_with(png_bytes(srgb), None if grey else srgb_profile(), exif, packet(provenance) if provenance else None))


def write_jpeg(path: str | Path, srgb: NDArray[np.uint8], info: FrameInfo | None = None, provenance: Provenance | None = None, quality: int = 92) -> None:
    """(H, W, 3) uint8 sRGB, upright, as JPEG with ICC profile and the EXIF of `info`, orientation 1; XMP from `provenance`."""
    _check(path, srgb, np.uint8)
    with writing(path) as temporary:
        pieces = jpeg_pieces(path, srgb, quality)
        header = jpeg_with(next(pieces), srgb_profile(), exif_block(info, srgb.shape), packet(provenance) if provenance else None)
        with open(temporary, "wb") as file:
            file.write(header)
            file.writelines(pieces)


def write_exr(path: str | Path, linear_rgb: NDArray[np.float32]) -> None:
    """(H, W, 3) linear sRGB as a half-float OpenEXR. Needs the extra `exr`."""
    _check(path, linear_rgb, np.float32)
    try:
        import OpenEXR  # noqa: PLC0415  an extra that most do not install
    except ImportError as error:
        raise OutputError(f"{path}: writing EXR requires the OpenEXR package: pip install burstsr[exr]") from error
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    half = np.clip(linear_rgb, -65504, 65504).astype(np.float16)
    with writing(path) as temporary:
        OpenEXR.File(header, {"RGB": half}).write(str(temporary))


def read_image(path: str | Path) -> LoadedImage:
    """Read a PNG, TIFF, JPEG, BMP or WebP image as float32; 8 and 16 bits mapped to 0 .. 1, floats as they are. Grey becomes RGB, alpha is dropped.

    The LinearRaw of a DNG that `write_dng` wrote is read too: linear camera RGB, 1.0 = saturation. The others come upright, see `display.read_display`.
    Raises InputFileError for a missing, broken or unknown file, and for NaN or infinite values.
    """
    file = Path(path)
    if not file.is_file():
        raise InputFileError(f"{file}: no such file")
    if file.suffix.lower() == ".dng":
        rgb = read_linear_dng(file).rgb
        return LoadedImage(np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb, False)
    pixels = read_display(file).pixels
    pixels = pixels[:, :, :3] if pixels.shape[2] >= 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
    if pixels.dtype == np.float32:
        return LoadedImage(np.ascontiguousarray(pixels), False)
    return LoadedImage(np.ascontiguousarray(pixels, np.float32) / np.float32(np.iinfo(pixels.dtype).max), True)


def _check(path: str | Path, pixels: NDArray[Any], *kinds: type) -> None:
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or not pixels.size or pixels.dtype not in kinds:
        allowed = " or ".join(kind.__name__ for kind in kinds)
        raise OutputError(f"{path}: pixels of shape {pixels.shape} and type {pixels.dtype}; must be (H, W, 3) or (H, W, 1) {allowed}")
