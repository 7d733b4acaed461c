"""Display and linear pictures, out and in. Every writer is atomic and raises OutputError, every reader InputFileError, naming the file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.files import tags as t
from burstsr.files import tiff
from burstsr.files.atomic import atomic
from burstsr.files.blocks import jpeg_with, png_with
from burstsr.files.dng import exposure_tags
from burstsr.files.icc import srgb_profile
from burstsr.files.linear import read_linear_dng
from burstsr.files.xmp import packet
from burstsr.ground.burst import FrameInfo
from burstsr.ground.errors import InputFileError, OutputError
from burstsr.ground.provenance import Provenance

_SRGB_IN_EXIF = 1
_TIFF_COLOURS = (1, 2)  # grey with black at 0, RGB
_JPEG_LIMIT = 65500  # pixels along a side that the format can say


class ReadPicture(NamedTuple):
    """A picture as read. rgb: (H, W, 3) float32. was_integer: whole numbers of a display picture, mapped to 0 .. 1; False: linear values."""

    rgb: NDArray[np.float32]
    was_integer: bool


def write_tiff(path: str | Path, srgb: NDArray[np.uint8] | NDArray[np.uint16], info: FrameInfo | None = None, provenance: Provenance | None = None) -> None:
    """(H, W, 3) uint8 or uint16 sRGB, upright, as a deflated TIFF with ICC profile; camera and time from `info`, XMP from `provenance`."""
    _check(path, srgb, np.uint8, np.uint16)
    extra: list[Any] = [(t.MAKE, "s", 0, _make(info), True), (t.MODEL, "s", 0, info.camera, True)] if info and info.camera else []
    extra += _xmp_tag(provenance)
    with _writing(path) as temporary:
        tifffile.imwrite(
            temporary,
            srgb,
            photometric="rgb",
            planarconfig="contig",
            compression="zlib",
            predictor=True,
            rowsperstrip=max(1, (1 << 20) // srgb[0].nbytes),
            iccprofile=srgb_profile(),
            software=f"burstsr {__version__}",
            datetime=info.time if info else None,
            metadata=None,
            extratags=extra,
        )


def write_linear_tiff(path: str | Path, rgb: NDArray[np.float32], provenance: Provenance | None = None) -> None:
    """(H, W, 3) linear values as a float32 TIFF, exactly as they are; XMP from `provenance`."""
    _check(path, rgb, np.float32)
    extra = _xmp_tag(provenance)
    with _writing(path) as temporary:
        tifffile.imwrite(temporary, rgb, photometric="rgb", planarconfig="contig", compression="zlib", predictor=True, metadata=None, extratags=extra)


def _xmp_tag(provenance: Provenance | None) -> list[Any]:
    xmp = packet(provenance) if provenance else b""
    return [(t.XMP, "B", len(xmp), xmp, True)] if xmp else []


def write_png(path: str | Path, srgb: NDArray[np.uint8] | NDArray[np.uint16], provenance: Provenance | None = None) -> None:
    """(H, W, 3) uint8 or uint16 sRGB, upright, as PNG with ICC profile; XMP from `provenance`."""
    _check(path, srgb, np.uint8, np.uint16)
    with _writing(path) as temporary:
        data = bytes(imagecodecs.png_encode(np.ascontiguousarray(srgb), level=4))
        temporary.write_bytes(png_with(data, srgb_profile(), xmp=packet(provenance) if provenance else None))


def write_jpeg(path: str | Path, srgb: NDArray[np.uint8], info: FrameInfo | None = None, provenance: Provenance | None = None, quality: int = 92) -> None:
    """(H, W, 3) uint8 sRGB, upright, as JPEG with ICC profile and the EXIF of `info`: camera, exposure, ISO, time; orientation 1; XMP from `provenance`."""
    _check(path, srgb, np.uint8)
    if max(srgb.shape) > _JPEG_LIMIT:
        raise OutputError(f"{path}: {srgb.shape[1]} x {srgb.shape[0]} pixels; JPEG holds at most {_JPEG_LIMIT} along a side; use png or tiff")
    with _writing(path) as temporary:
        # full colour resolution: chroma subsampling would undo what the merge recovered
        data = bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(srgb), level=quality, subsampling="444"))
        temporary.write_bytes(jpeg_with(data, srgb_profile(), _exif_block(info, srgb.shape), packet(provenance) if provenance else None))


def write_exr(path: str | Path, linear_rgb: NDArray[np.float32]) -> None:
    """(H, W, 3) linear sRGB as a half-float OpenEXR. Needs the extra `exr`."""
    _check(path, linear_rgb, np.float32)
    try:
        import OpenEXR  # noqa: PLC0415  an extra that most do not install
    except ImportError as error:
        raise OutputError(f"{path}: writing EXR needs the OpenEXR package: pip install burstsr[exr]") from error
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    half = np.clip(linear_rgb, -65504, 65504).astype(np.float16)
    with _writing(path) as temporary:
        OpenEXR.File(header, {"RGB": half}).write(str(temporary))


def read_picture(path: str | Path) -> ReadPicture:
    """A PNG, TIFF, JPEG, BMP or WebP picture as float32; 8 and 16 bits mapped to 0 .. 1, floats as they are. Grey becomes RGB, alpha is dropped.

    The LinearRaw of a DNG that `write_dng` wrote is read too: linear camera RGB, 1.0 = saturation. EXIF orientation of JPEGs is applied.
    Raises InputFileError for a missing, broken or unknown file, and for NaN or infinite values.
    """
    file = Path(path)
    if not file.is_file():
        raise InputFileError(f"{file}: no such file")
    if file.suffix.lower() == ".dng":
        return ReadPicture(read_linear_dng(file).rgb, False)
    pixels = _decoded_tiff(file) if file.suffix.lower() in (".tif", ".tiff") else _decoded(file)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise InputFileError(f"{file}: pixels of shape {pixels.shape}; grey, RGB or RGBA is needed")
    pixels = pixels[:, :, :3]
    if pixels.dtype in (np.uint8, np.uint16):
        return ReadPicture(np.ascontiguousarray(pixels, np.float32) / np.float32(np.iinfo(pixels.dtype).max), True)
    if pixels.dtype not in (np.float16, np.float32, np.float64):
        raise InputFileError(f"{file}: pixels of type {pixels.dtype}; 8 or 16 bits or floating point are needed")
    rgb = np.ascontiguousarray(pixels, np.float32)
    if not np.isfinite(rgb).all():
        raise InputFileError(f"{file}: holds NaN or infinite values")
    return ReadPicture(rgb, False)


def _decoded_tiff(file: Path) -> NDArray[Any]:
    try:
        with tifffile.TiffFile(file) as opened:
            page: Any = opened.pages[0]
            if page.photometric not in _TIFF_COLOURS:
                raise InputFileError(f"{file}: a TIFF of kind {page.photometric!r}; grey or RGB is needed")
            pixels = page.asarray()
            if page.samplesperpixel > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
                pixels = np.moveaxis(pixels, 0, -1)
            return np.asarray(pixels)
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise InputFileError(f"{file}: not a readable TIFF ({error})") from error


def _decoded(file: Path) -> NDArray[Any]:
    # 8-bit JPEGs come oriented only when OpenCV is asked for colour; PNGs keep 16 bits only when it is asked for any depth
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise InputFileError(f"{file}: cannot be read ({error})") from error
    if pixels is None:
        raise InputFileError(f"{file}: not a picture that can be read; PNG, TIFF, JPEG, BMP and WebP are known")
    return np.ascontiguousarray(pixels[:, :, ::-1])


@contextmanager
def _writing(path: str | Path) -> Iterator[Path]:
    """`atomic`, with the errors of encoders as OutputError."""
    with atomic(path) as temporary:
        try:
            yield temporary
        except (ValueError, RuntimeError) as error:
            raise OutputError(f"{path}: cannot be encoded ({error})") from error


def _check(path: str | Path, pixels: NDArray[Any], *kinds: type) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or pixels.dtype not in kinds:
        allowed = " or ".join(kind.__name__ for kind in kinds)
        raise OutputError(f"{path}: pixels of shape {pixels.shape} and type {pixels.dtype}; (H, W, 3) {allowed} is needed")


def _make(info: FrameInfo) -> str:
    return info.camera.split()[0]


def _exif_block(info: FrameInfo | None, shape: tuple[int, ...]) -> bytes:
    """A TIFF of no pixels with what is known of the exposure."""
    first = {
        t.ORIENTATION: tiff.integers(tiff.SHORT, 1),
        282: tiff.rationals([72]),
        283: tiff.rationals([72]),
        296: tiff.integers(tiff.SHORT, 2),
        t.SOFTWARE: tiff.text(f"burstsr {__version__}"),
        531: tiff.integers(tiff.SHORT, 1),  # YCbCrPositioning: centred
    }
    exif = exposure_tags(info) if info else {t.EXIF_VERSION: tiff.Entry(tiff.UNDEFINED, b"0230")}
    exif |= {
        37121: tiff.Entry(tiff.UNDEFINED, b"\1\2\3\0"),  # ComponentsConfiguration: Y Cb Cr
        40960: tiff.Entry(tiff.UNDEFINED, b"0100"),  # FlashpixVersion
        40961: tiff.integers(tiff.SHORT, _SRGB_IN_EXIF),
        40962: tiff.integers(tiff.LONG, shape[1]),
        40963: tiff.integers(tiff.LONG, shape[0]),
    }
    if info and info.camera:
        first |= {t.MAKE: tiff.text(_make(info)), t.MODEL: tiff.text(info.camera)}
    if info and info.time:
        first[t.DATE_TIME] = tiff.text(f"{info.time:%Y:%m:%d %H:%M:%S}")
    file = io.BytesIO()
    tiff.write_directories(file, first, {tiff.EXIF_DIRECTORY: exif})
    return file.getvalue()
