"""Raw files that LibRaw decodes: the mosaic, and the description of a file other than DNG."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import InputFileError
from burstsr.io import libraw_process
from burstsr.io.dng_info import bayer, even_shape, inner_crop
from burstsr.io.libraw_file import LibRawFile
from burstsr.io.pages import file_of
from burstsr.io.plausible import check_levels_apart, shot_values
from burstsr.io.tags import FileTags, camera_name, capture_time

log = logging.getLogger(__name__)
Mosaic = NDArray[np.uint16]
_FLIP_TO_ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}
_OTHER = {"iso": "iso_speed", "exposure_s": "shutter_speed", "aperture": "aperture", "focal_mm": "focal_length"}  # rawpy's names


def decoded_by_libraw(path: Path) -> LibRawFile:
    """Decode a file with LibRaw; a single flat mosaic. Raises InputFileError."""
    raw = libraw_process.decode(path)
    if raw.printed:
        log.warning("%s: LibRaw: %s", path, raw.printed)
    return raw


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


def libraw_info(path: Path, tags: FileTags, raw: Any) -> FrameInfo:  # noqa: ANN401  rawpy has no types
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
    check_levels_apart(path, black, white)
    matrix = np.array(raw.rgb_xyz_matrix[:3], np.float64)
    other = getattr(raw, "other", None)  # rawpy >= 0.25
    shot = {name: stated or _number(other, _OTHER[name]) for name, stated in shot_values(path, tags).items()}
    shape = even_shape(sizes.height, sizes.width, path)
    return FrameInfo(
        path=path,
        shape=shape,
        cfa=cfa,
        levels=Levels(black, white),
        colour=Colour(np.ones(1)) if cfa.is_mono else Colour(_neutral_of(raw), matrix if matrix.any() else None),
        camera=camera_name(tags) or libraw_process.libraw_name(path),
        orientation=_FLIP_TO_ORIENTATION.get(sizes.flip, 1),
        iso=shot["iso"],
        exposure_s=shot["exposure_s"],
        aperture=shot["aperture"],
        focal_mm=shot["focal_mm"],
        time=None if file_of(path) != path else capture_time(tags) or _time_of(other),  # that of the file, not of one of its frames
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


def libraw_mosaic(raw: Any, info: FrameInfo, top: int, left: int) -> Mosaic:  # noqa: ANN401  rawpy has no types
    """Copy the visible area, which begins at (top, left) of the sensor."""
    bottom, right = top + info.shape[0], left + info.shape[1]
    pixels = raw.raw_image
    if pixels.shape[0] < bottom or pixels.shape[1] < right or pixels.dtype != np.uint16:
        raise InputFileError(f"{info.path}: LibRaw decodes {pixels.shape} {pixels.dtype}, but the tags say ({bottom}, {right}) of 16 bits")
    decoded = info.cfa if info.cfa.period == (4, 4) else _cfa_of(raw, top, left, info.path)  # LibRaw does not know quad Bayer
    if decoded != info.cfa:
        raise InputFileError(f"{info.path}: CFA order {info.cfa_order} by its tags, {decoded.name} by LibRaw")
    return np.array(pixels[top:bottom, left:right], order="C")
