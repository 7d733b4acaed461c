"""Reading of raw files: pixels from LibRaw, metadata from the file's own tags where it has them."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from burstsr.core.burst import Colour, Frame, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import BurstError, BurstsrError, InputFileError
from burstsr.core.sensor import is_constant
from burstsr.io import decoded, ljpeg
from burstsr.io.dng_info import bayer, dng_area, dng_info, even_shape, inner_crop
from burstsr.io.fits import open_fits
from burstsr.io.fits_header import SUFFIXES as FITS_SUFFIXES
from burstsr.io.fits_header import is_fits
from burstsr.io.grey_tiff import is_grey_tiff, open_grey_tiff
from burstsr.io.libraw_lines import LibRawLines
from burstsr.io.libraw_names import libraw_name
from burstsr.io.pages import file_of
from burstsr.io.plausible import shot_values
from burstsr.io.rescaling import Rescaling
from burstsr.io.tags import FileTags, camera_name, capture_time, lacks_pixels, missing_bytes, read_tags

log = logging.getLogger(__name__)
Mosaic = NDArray[np.uint16]
_FLIP_TO_ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}
_OTHER = {"iso": "iso_speed", "exposure_s": "shutter_speed", "aperture": "aperture", "focal_mm": "focal_length"}  # rawpy's names
_VIDEO = (".ser", ".avi", ".mov", ".mp4")
_EXPOSURE_TOLERANCE = 0.02  # cameras round the same exposure differently from frame to frame
_BLACK_TOLERANCE = 0.002  # of full scale: black levels measured per frame drift by a fraction of this


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
    tags = _checked_tags(file)
    if tags.is_dng:
        info, scaling = dng_info(file, tags)
        return info, partial(_dng_mosaic, file, tags, info, scaling)
    known = decoded.take(file)
    if known is not None:
        return known
    with _decoded_by_libraw(file) as raw:
        info = _libraw_info(file, tags, raw)
        mosaic = _libraw_mosaic(raw, info, raw.sizes.top_margin, raw.sizes.left_margin)
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
        with _decoded_by_libraw(path) as raw:
            mosaic = _libraw_mosaic(raw, info, top, left)
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


def _libraw_mosaic(raw: Any, info: FrameInfo, top: int, left: int) -> Mosaic:  # noqa: ANN401  rawpy has no types
    """Copy the visible area, which begins at (top, left) of the sensor: LibRaw's memory is freed with the file."""
    bottom, right = top + info.shape[0], left + info.shape[1]
    pixels = raw.raw_image
    if pixels.shape[0] < bottom or pixels.shape[1] < right or pixels.dtype != np.uint16:
        raise InputFileError(f"{info.path}: LibRaw decodes {pixels.shape} {pixels.dtype}, but the tags say ({bottom}, {right}) of 16 bits")
    decoded = info.cfa if info.cfa.period == (4, 4) else _cfa_of(raw, top, left, info.path)  # LibRaw does not know quad Bayer
    if decoded != info.cfa:
        raise InputFileError(f"{info.path}: CFA order {info.cfa_order} by its tags, {decoded.name} by LibRaw")
    return np.array(pixels[top:bottom, left:right], order="C")


def check_burst(infos: Sequence[FrameInfo]) -> None:
    """Raise BurstError, naming two files and what differs, unless all frames have one camera, size, CFA order, aperture, and levels at each ISO."""
    if not infos:
        raise BurstError("a burst must have at least one frame")
    first = infos[0]
    for info in infos[1:]:
        different = first_mismatch(first, info)
        if different:
            what, expected, found = different
            raise BurstError(f"{info.path}: {what} {found}, but {expected} in {first.path}; the frames of a burst must agree")


def first_mismatch(a: FrameInfo, b: FrameInfo, same_exposure: bool = False) -> tuple[str, str, str] | None:
    """Return the first property in which two frames of one burst must agree but do not: its name, its value in `a` and in `b`; else None.

    Exposure time and ISO may differ (a bracket), unless same_exposure, or for files that say what type of frame they are (astronomy). The aperture must not:
    it changes blur, depth of field and vignetting.
    """
    size_a, size_b = (f"{i.shape[1]} x {i.shape[0]}" for i in (a, b))
    of_a, of_b = a.observation, b.observation
    facts = (("camera", a.camera, b.camera), ("size", size_a, size_b), ("CFA order", a.cfa_order, b.cfa_order))
    for what, in_a, in_b in (*facts, ("filter", of_a.filter_name, of_b.filter_name), ("frame type", of_a.frame_type, of_b.frame_type)):
        if in_a != in_b:
            return what, in_a or "unknown", in_b or "unknown"
    if same_exposure or of_a.frame_type:
        if not _close(a.exposure_s, b.exposure_s):
            return "exposure time", f"{a.exposure_s:.6g} s", f"{b.exposure_s:.6g} s"
        if not _close(a.iso, b.iso):
            return "ISO", f"{a.iso:g}", f"{b.iso:g}"
    if min(a.aperture, b.aperture) > 0 and not _close(a.aperture, b.aperture):
        return "aperture", f"f/{a.aperture:g}", f"f/{b.aperture:g}"
    if not _close(a.iso, b.iso):  # cameras' levels may depend on it
        return None
    if not np.allclose(a.levels.black, b.levels.black, rtol=0, atol=_BLACK_TOLERANCE * (a.levels.white - a.levels.black.max())):
        return "black level", str(a.levels.black.ravel().tolist()), str(b.levels.black.ravel().tolist())
    if a.levels.white != b.levels.white:
        return "white level", f"{a.levels.white:g}", f"{b.levels.white:g}"
    return None


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= _EXPOSURE_TOLERANCE * max(a, b)


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


@contextmanager
def _decoded_by_libraw(path: Path) -> Iterator[Any]:
    """Decode the file with LibRaw, and check that it is a single flat mosaic of red, green and blue."""
    with LibRawLines(path) as lines:
        try:
            raw = _opened_by_libraw(path)
            raw.unpack()
        except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
            raise InputFileError(f"{path}: unsupported raw format (LibRaw {_libraw_version()}: {_reason(error, lines.text)})") from error
        except rawpy.LibRawError as error:
            raise InputFileError(f"{path}: truncated or corrupt ({_reason(error, lines.text)})") from error
        if printed := lines.text:
            log.warning("%s: LibRaw: %s", path, printed)
    with raw:
        if raw.raw_type != rawpy.RawType.Flat or raw.raw_image is None:
            raise InputFileError(f"{path}: already demosaiced or a layered sensor (LinearRaw, sRAW, Foveon); must be a mosaic")
        yield raw


def _opened_by_libraw(path: Path) -> Any:  # noqa: ANN401  rawpy has no types
    """Open a file with rawpy, which passes names as UTF-8; files with other names are read here."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        with path.open("rb") as file:
            return rawpy.imread(file)
    return rawpy.imread(str(path))


def _libraw_version() -> str:
    return ".".join(str(v) for v in rawpy.libraw_version)


def _reason(error: Exception, printed: str) -> str:
    """Combine rawpy's exception with LibRaw's messages."""
    text = error.args[0] if error.args else error
    raised = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{raised}; LibRaw: {printed}" if printed else raised


def _cfa_of(raw: Any, top: int, left: int, path: Path) -> Cfa:  # noqa: ANN401  rawpy has no types
    """Return the CFA from (top, left) of the sensor; InputFileError unless it is a Bayer pattern or X-Trans."""
    try:
        pattern = raw.raw_pattern
    except NotImplementedError as error:
        raise InputFileError(f"{path}: unknown colour filter array ({error}); must be Bayer, X-Trans or monochrome") from error
    if pattern is None and raw.num_colors == 1:
        return Cfa.parse("mono")
    if pattern is None:
        raise InputFileError(f"{path}: without a colour filter array, and not monochrome; must be a mosaic")
    if pattern.shape == (6, 6):  # X-Trans; of the whole sensor
        return Cfa.from_array(pattern).shifted(top, left)
    if pattern.shape != (2, 2) or raw.num_colors != 3 or raw.color_desc[:3] != b"RGB" or raw.color_desc[3:] not in (b"G", b""):
        colours = raw.color_desc.decode("ascii", "replace")
        raise InputFileError(
            f"{path}: colour filter array of {pattern.shape[0]} x {pattern.shape[1]} sites and colours {colours}; must be Bayer RGB or X-Trans"
        )
    return bayer([[int(raw.raw_color(top + y, left + x)) for x in (0, 1)] for y in (0, 1)], path)


def _libraw_info(path: Path, tags: FileTags, raw: Any) -> FrameInfo:  # noqa: ANN401  rawpy has no types
    """Read the description of a file other than DNG."""
    sizes, top, left = raw.sizes, raw.sizes.top_margin, raw.sizes.left_margin
    cfa = _cfa_of(raw, top, left, path)
    if abs(sizes.pixel_aspect - 1) > 0.01:
        log.warning("%s: pixel aspect ratio is %.3f (height / width); the result keeps the sensor's grid", path, sizes.pixel_aspect)
    channel_of = [[0 if cfa.is_mono else raw.raw_color(top + y, left + x) for x in (0, 1)] for y in (0, 1)]
    black = np.array([[raw.black_level_per_channel[channel] for channel in row] for row in channel_of], np.float64)
    stated = raw.camera_white_level_per_channel or []
    # per-channel levels are the saturation levels; some files contain invalid ones
    white = float(min(stated)) if stated and 0.75 * raw.white_level <= min(stated) <= raw.white_level else float(raw.white_level)
    matrix = np.array(raw.rgb_xyz_matrix[:3], np.float64)
    other = getattr(raw, "other", None)  # rawpy >= 0.25
    shape = even_shape(sizes.height, sizes.width, path)
    return FrameInfo(
        path=path,
        shape=shape,
        cfa=cfa,
        levels=Levels(black, white),
        colour=Colour(np.ones(1)) if cfa.is_mono else Colour(_neutral_of(raw), matrix if matrix.any() else None),
        camera=camera_name(tags) or libraw_name(path),
        orientation=_FLIP_TO_ORIENTATION.get(sizes.flip, 1),
        **{name: stated or _number(other, _OTHER[name]) for name, stated in shot_values(path, tags).items()},
        time=capture_time(tags) or _time_of(other),
        crop=inner_crop(_libraw_crop(sizes), shape),
    )


def _libraw_crop(sizes: Any) -> tuple[float, ...]:  # noqa: ANN401  rawpy has no types
    """Return top, left, bottom and right, in the visible area, of the camera's own JPEG; () where unknown."""
    height, width = getattr(sizes, "crop_height", 0), getattr(sizes, "crop_width", 0)  # rawpy >= 0.25
    if not height or not width:
        return ()
    top, left = sizes.crop_top_margin - sizes.top_margin, sizes.crop_left_margin - sizes.left_margin
    return top, left, top + height, left + width


def _number(other: object, name: str) -> float:
    value = round(float(getattr(other, name, 0.0)), 7)  # float32 inside
    return value if np.isfinite(value) and value > 0 else 0.0


def _time_of(other: object) -> datetime | None:
    moment = getattr(other, "timestamp", None)
    return moment if isinstance(moment, datetime) and moment.year > 1970 else None


def _neutral_of(raw: Any) -> NDArray[np.float64]:  # noqa: ANN401  rawpy has no types
    """Return the inverse of the shot's white balance, else of daylight, else (1, 1, 1); green = 1."""
    for balance in (raw.camera_whitebalance, raw.daylight_whitebalance):
        gains = np.array(balance[:3], np.float64)
        if np.isfinite(gains).all() and (gains > 0).all():
            return np.asarray(gains[1] / gains)
    return np.ones(3)
