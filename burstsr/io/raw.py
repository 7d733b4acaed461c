"""Reading of raw files: pixels from LibRaw, metadata from the file's own tags where it has them."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Frame, FrameInfo
from burstsr.core.errors import BurstsrError, InputFileError
from burstsr.core.sensor import is_constant
from burstsr.io import decoded, ljpeg
from burstsr.io.dng_info import dng_area, dng_info
from burstsr.io.fits import open_fits
from burstsr.io.fits_header import SUFFIXES as FITS_SUFFIXES
from burstsr.io.fits_header import is_fits
from burstsr.io.grey_tiff import is_grey_tiff, open_grey_tiff
from burstsr.io.libraw import decoded_by_libraw, libraw_info, libraw_mosaic
from burstsr.io.pages import file_of
from burstsr.io.rescaling import Rescaling
from burstsr.io.tags import SAMPLES, FileTags, lacks_pixels, missing_bytes, read_tags

log = logging.getLogger(__name__)
Mosaic = NDArray[np.uint16]
_OF_A_SET = 4  # samples in a pixel
_VIDEO = (".ser", ".avi", ".mov", ".mp4")


def read_info(path: str | Path) -> FrameInfo:
    """Read the description of a raw file. Pixels are decoded only if it is no DNG, since LibRaw determines some levels while decoding.

    What was decoded is kept for who reads the frame next (`burstsr.io.decoded`). Raises InputFileError for unreadable or unsupported files: see `read_frame`.
    """
    info, pixels = open_raw(path)
    if not callable(pixels):
        decoded.keep(Path(path), (info, pixels))
    return info


def read_frame(path: str | Path) -> Frame:
    """Read a raw file of a Bayer, X-Trans, quad Bayer or monochrome sensor: description and mosaic of the visible area (without an odd last row or column).

    A mosaic with gain maps, or a black level that varies over the frame, is rescaled to 16 bits (`io.rescaling`), and `info.levels` describes the result.
    Raises InputFileError, naming the file, for one that is missing, empty, truncated or no raw file, and for unsupported sensors: other
    patterns, already demosaiced (LinearRaw, sRAW), Foveon, floating-point DNGs.
    """
    info, pixels = open_raw(path)
    return Frame(info, pixels() if callable(pixels) else pixels)


def open_raw(path: str | Path) -> tuple[FrameInfo, Mosaic | Callable[[], Mosaic]]:
    """Read the description of a raw file, and its mosaic or, for a DNG, a function that decodes it. Both raise InputFileError: see `read_frame`."""
    file = Path(path)
    _check_file(file)
    if is_fits(file) or file.suffix.lower() in FITS_SUFFIXES:
        return _not_blank(*(decoded.take(file) or open_fits(file)))
    if file.suffix.lower() in _VIDEO:
        raise InputFileError(f"{file}: video is not supported; convert its frames to FITS, TIFF or DNG")
    if is_grey_tiff(file):
        return _not_blank(*open_grey_tiff(file))
    tags = _checked_tags(file_of(file))
    if tags.is_dng:
        info, scaling = dng_info(file, tags)
        return info, partial(_dng_mosaic, file, tags, info, scaling)
    known = decoded.take(file)
    if known is not None:
        return known
    if tags.raw.get(SAMPLES) and tags.numbers(SAMPLES)[0] == _OF_A_SET:
        raise InputFileError(
            f"{file}: has four samples in each pixel (ARQ): a pixel-shift set that is merged already; process the camera's own four files, "
            "with --motion pixel-shift-4"
        )
    raw = decoded_by_libraw(file)
    info = libraw_info(file, tags, raw)
    mosaic = libraw_mosaic(raw, info, raw.sizes.top_margin, raw.sizes.left_margin)
    _check_not_blank(file, mosaic, float(info.levels.black.min()))
    return info, mosaic


def _not_blank(info: FrameInfo, pixels: Mosaic | Callable[[], Mosaic]) -> tuple[FrameInfo, Mosaic | Callable[[], Mosaic]]:
    """Return what `open_raw` returns, the mosaic checked when it is decoded."""

    def checked(mosaic: Mosaic) -> Mosaic:
        _check_not_blank(info.path, mosaic, float(info.levels.black.min()))
        return mosaic

    return info, (lambda: checked(pixels())) if callable(pixels) else checked(pixels)


def _dng_mosaic(path: Path, tags: FileTags, info: FrameInfo, scaling: Rescaling) -> Mosaic:
    top, left = dng_area(path, tags)[:2]  # LibRaw starts the visible area of a DNG at even margins only, rounding odd ones up
    try:
        sensor = ljpeg.decoded(path, tags)
    except BurstsrError:
        raise
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    if sensor is None:
        mosaic = libraw_mosaic(decoded_by_libraw(path), info, top, left)
    elif sensor.shape == info.shape:
        mosaic = sensor
    else:
        mosaic = np.array(sensor[top : top + info.shape[0], left : left + info.shape[1]], order="C")
    _check_not_blank(path, mosaic, float(scaling.levels.black.min()))
    return scaling.apply(mosaic) if scaling.needed else mosaic


def _check_not_blank(path: Path, mosaic: Mosaic, black: float) -> None:
    """Raise InputFileError where all samples are equal and show no light: pixels that were never written, or lost."""
    if is_constant(mosaic) and mosaic[0, 0] <= black:
        raise InputFileError(f"{path}: blank: every pixel is {mosaic[0, 0]}, which no sensor gives (black level {black:g})")


def _check_file(path: Path) -> None:
    """Raise InputFileError unless a frame's file exists, and is not empty."""
    file = file_of(path)
    if not file.exists():
        raise InputFileError(f"{path}: no such file")
    if not file.is_file():
        raise InputFileError(f"{path}: not a file")
    if file.stat().st_size == 0:
        raise InputFileError(f"{path}: empty file (0 bytes)")


def _checked_tags(path: Path) -> FileTags:
    """Read the tags of a file that is not truncated."""
    size = path.stat().st_size
    try:
        tags = read_tags(path)
        missing = missing_bytes(path, tags)
    except OSError as error:
        raise InputFileError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        raise InputFileError(f"{path}: corrupt: invalid tags ({error})") from error
    if missing:
        raise InputFileError(f"{path}: truncated: {missing} bytes of its pixel data are beyond the end of the file at {size}")
    if lacks_pixels(tags):
        raise InputFileError(f"{path}: damaged: its pixel data is missing")
    return tags
