"""Raw frames in FITS files: mosaics of colour sensors (BAYERPAT) and monochrome frames.

Rows stay in the order of the file; ROWORDER becomes the orientation. Pixel values become DN of 16 bits: unchanged where they are integers of 16 bits,
otherwise on the scale of `io.rescaling`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import BAYER_ORDERS, Cfa
from burstsr.core.errors import InputFileError
from burstsr.core.noise import Noise
from burstsr.core.observation import Observation
from burstsr.io.dng_info import even_shape
from burstsr.io.fits_header import Header, capture_time, frame_type, is_own_fits, number, read_header, read_values, text
from burstsr.io.foreign import foreign_reader
from burstsr.io.image_size import check_declared
from burstsr.io.plausible import check_shot
from burstsr.io.rescaling import RESCALED_BLACK, RESCALED_WHITE

log = logging.getLogger(__name__)
Mosaic = NDArray[np.uint16]
_TYPES = {8: (0, 255), 16: (-32768, 32767)}  # integers, by BITPIX, that 16 bits hold
_MOST = 65535
_UPSIDE_DOWN = 4  # EXIF orientation: the first row is at the bottom
_MOST_BLANK = 0.01  # share of samples without a value


@dataclass(frozen=True)
class _Scale:
    """DN = gain x value + offset, of physical values. exact: the DN are the values, but for an integer offset."""

    gain: float
    offset: float
    levels: Levels
    exact: bool


def open_fits(path: Path) -> tuple[FrameInfo, Mosaic | Callable[[], Mosaic]]:
    """Read the description of a FITS frame, and a function that decodes it, or the mosaic where only its values tell their range. Raises InputFileError."""
    if is_own_fits(path):
        raise InputFileError(f"{path}: a result of burstsr, not a frame")
    with foreign_reader(path, "invalid values in its FITS header"):
        return _opened(path)


def _opened(path: Path) -> tuple[FrameInfo, Mosaic | Callable[[], Mosaic]]:
    header = read_header(path)
    shape = even_shape(*_size(header, path), path)
    scale = _exact_scale(header, path)
    if scale is not None:
        return _described(path, header, shape, scale), partial(_decoded, path, header, shape, scale)
    values = _physical(path, header, shape)
    scale = _scale_of(values, header, path)
    return _described(path, header, shape, scale), _as_dn(values, scale)


def _size(header: Header, path: Path) -> tuple[int, int]:
    axes = [int(header[f"NAXIS{n}"]) for n in range(1, int(header["NAXIS"]) + 1)]
    if any(length != 1 for length in axes[2:]):
        raise InputFileError(f"{path}: {' x '.join(map(str, axes))} values: already demosaiced, or several frames; must be one mosaic, or one monochrome frame")
    check_declared((axes[1], axes[0]), abs(int(header["BITPIX"])) // 8, path.stat().st_size, path)
    return axes[1], axes[0]


def _described(path: Path, header: Header, shape: tuple[int, int], scale: _Scale) -> FrameInfo:
    cfa, upside_down = _cfa(header, path), text(header, "ROWORDER").upper().startswith("BOTTOM")
    gain = number(header, "EGAIN")
    gain = gain / scale.gain if gain is not None and gain > 0 and scale.gain <= 1 else None  # of values from 0 to 1 it says nothing
    return FrameInfo(
        path=path,
        shape=shape,
        cfa=cfa,
        levels=scale.levels,
        colour=Colour(np.ones(len(cfa.channels))),
        camera=text(header, "INSTRUME", "CAMERA"),
        noise=_noise(header, gain, scale, len(cfa.channels)),
        orientation=_UPSIDE_DOWN if upside_down else 1,
        **check_shot(
            path,
            iso=_positive(number(header, "ISOSPEED", "ISO", "GAIN")),
            exposure_s=_positive(number(header, "EXPTIME", "EXPOSURE")),
            aperture=_positive(number(header, "FOCRATIO")),
            focal_mm=_positive(number(header, "FOCALLEN")),
        ),
        time=capture_time(header),
        observation=Observation(number(header, "CCD-TEMP", "CCDTEMP", "SET-TEMP"), text(header, "FILTER"), frame_type(header), gain),
    )


def _positive(value: float | None) -> float:
    return value if value is not None and value > 0 else 0.0


def _cfa(header: Header, path: Path) -> Cfa:
    """Return the CFA in the order of the file's rows. BAYERPAT, with its offsets, is that of the image the right way up."""
    order = text(header, "BAYERPAT", "COLORTYP").upper()
    if not order or order in ("MONO", "GRAY", "GREY", "NONE"):
        return Cfa.parse("mono")
    if order not in BAYER_ORDERS:
        raise InputFileError(f"{path}: BAYERPAT {order!r}; must be one of {', '.join(BAYER_ORDERS)}, or absent for a monochrome sensor")
    y, x = (int(number(header, name) or 0) for name in ("YBAYROFF", "XBAYROFF"))
    cfa = Cfa.parse(order).shifted(y, x)
    if text(header, "ROWORDER").upper().startswith("BOTTOM"):
        rows = [int(header["NAXIS2"]) - 1 - row for row in (0, 1)]  # from the top
        cfa = Cfa(tuple(tuple(cfa.channel(row, column) for column in (0, 1)) for row in rows))
    return cfa


def _noise(header: Header, gain_e_per_dn: float | None, scale: _Scale, channels: int) -> Noise | None:
    """Return the noise of samples, where both EGAIN and the read noise are known; half of it would be wrong in the dark."""
    read_e = number(header, "RDNOISE", "READNOIS", "READNOISE")
    if gain_e_per_dn is None or read_e is None or read_e < 0:
        return None
    full_well_e = gain_e_per_dn * (scale.levels.white - float(scale.levels.black.mean()))
    if full_well_e < 1 or read_e > full_well_e:
        return None  # of values that no sensor has
    return Noise(np.full(channels, 1 / full_well_e), np.full(channels, (read_e / full_well_e) ** 2))


def _levels(header: Header, gain: float, offset: float, white: float) -> Levels:
    """Return levels in DN: black from PEDESTAL, which programs give either sign, white from SATURATE or the range of the values."""
    black = abs(number(header, "PEDESTAL") or 0.0)
    return Levels(np.full((2, 2), gain * black + offset), gain * white + offset)


def _exact_scale(header: Header, path: Path) -> _Scale | None:
    """Return the scale of integers that 16 bits hold; None for others."""
    first, step = float(header.get("BZERO", 0)), float(header.get("BSCALE", 1))
    stored = _TYPES.get(int(header["BITPIX"]))
    if stored is None or step != 1 or first != round(first):
        return None
    low, high = (first + value for value in stored)
    offset = 0.0 if low >= 0 and high <= _MOST else -low
    white = number(header, "SATURATE", "SATLEVEL") or high
    scale = _Scale(1.0, offset, _levels(header, 1.0, offset, min(white, high)), exact=True)
    _check(scale, path)
    return scale


def _scale_of(values: NDArray[np.float32], header: Header, path: Path) -> _Scale:
    """Return the scale of values of any other type, from 0 to SATURATE, 1 or 65535."""
    most = float(values.max())
    white = number(header, "SATURATE", "SATLEVEL")
    if white is None:
        if most > _MOST:
            raise InputFileError(f"{path}: values up to {most:g}, and no SATURATE says at which the sensor saturates")
        white = 1.0 if most <= 1 else float(_MOST)
    gain = (RESCALED_WHITE - RESCALED_BLACK) / white
    scale = _Scale(gain, RESCALED_BLACK, _levels(header, gain, RESCALED_BLACK, white), exact=False)
    _check(scale, path)
    return scale


def _check(scale: _Scale, path: Path) -> None:
    if not scale.levels.white >= scale.levels.black.max() + 1:
        raise InputFileError(f"{path}: PEDESTAL must be below SATURATE")


def _physical(path: Path, header: Header, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return the values as float32, scaled by BSCALE and BZERO; blank ones are the frame's median."""
    stored = _cropped(read_values(path), shape)
    values = np.asarray(stored, np.float64) * float(header.get("BSCALE", 1)) + float(header.get("BZERO", 0))
    blank = ~np.isfinite(values)
    if stored.dtype.kind in "iu" and "BLANK" in header:
        blank |= stored == int(header["BLANK"])
    if blank.any():
        if blank.mean() > _MOST_BLANK:
            raise InputFileError(f"{path}: {blank.mean():.0%} of its pixels have no value; must be at most {_MOST_BLANK:.0%}")
        log.warning("%s: %d pixels without a value", path, blank.sum())
        values[blank] = np.median(values[~blank])
    return values.astype(np.float32)


def _decoded(path: Path, header: Header, shape: tuple[int, int], scale: _Scale) -> Mosaic:
    """Return the DN of integers that 16 bits hold."""
    stored = _cropped(read_values(path), shape)
    return np.asarray(stored.astype(np.int32) + int(float(header.get("BZERO", 0)) + scale.offset), np.uint16)


def _as_dn(values: NDArray[np.float32], scale: _Scale) -> Mosaic:
    return np.asarray(np.clip(np.rint(values * np.float32(scale.gain) + np.float32(scale.offset)), 0, _MOST), np.uint16)


def _cropped(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    return np.ascontiguousarray(values.reshape(values.shape[-2:])[: shape[0], : shape[1]])
