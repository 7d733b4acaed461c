"""Description of a DNG from its tags alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import BAYER_ORDERS, Cfa
from burstsr.core.errors import CfaError, InputFileError, SettingsError
from burstsr.core.noise import Noise
from burstsr.io import tags as t
from burstsr.io.plausible import check_colour_tags, check_invertible, shot_values
from burstsr.io.rescaling import RESCALED_BLACK, RESCALED_WHITE, Rescaling, noise_profile, rescaling
from burstsr.io.tags import FileTags, as_shot_neutral, camera_name, capture_time, xyz_to_camera

_SMALLEST = 32  # pixels along a side; LibRaw itself stops at 22
_LARGEST = 65535  # LibRaw counts in 16 bits
_LEAST_CROP = 0.1  # of the area; less indicates damage


def dng_info(path: Path, tags: FileTags) -> tuple[FrameInfo, Rescaling]:
    """Read the description of a DNG, and how its DN must be rescaled. Raises InputFileError for unsupported files and invalid tags."""
    try:
        return _described(path, tags)
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        raise InputFileError(f"{path}: corrupt: invalid tags ({error})") from error


def _described(path: Path, tags: FileTags) -> tuple[FrameInfo, Rescaling]:
    cfa = _dng_cfa(path, tags)
    top, left, bottom, right = dng_area(path, tags)
    height, width = bottom - top, right - left
    shape = even_shape(height, width, path)
    scaling = rescaling(tags, (height, width), path)
    if not cfa.is_mono:
        check_colour_tags(path, tags)
    matrix = None if cfa.is_mono else xyz_to_camera(tags)
    check_invertible(path, matrix)
    neutral = as_shot_neutral(tags, matrix)
    info = FrameInfo(
        path=path,
        shape=shape,
        cfa=cfa,
        levels=scaling.levels,
        colour=Colour(np.ones(1)) if cfa.is_mono else Colour(np.ones(3) if neutral is None else neutral, matrix),
        camera=camera_name(tags),
        noise=noise_profile(tags, cfa),
        orientation=tags.orientation,
        **shot_values(path, tags),
        time=capture_time(tags),
        crop=inner_crop(_default_crop(tags), shape),
    )
    if scaling.needed:
        gain = scaling.mean_gain()
        noise = Noise(info.noise.alpha * gain, info.noise.beta * gain**2) if info.noise else None  # y = g x: variance g alpha y + g^2 beta
        field = replace(scaling, shape=shape).gain_field(cfa)
        info = replace(info, levels=Levels(np.full((2, 2), RESCALED_BLACK), RESCALED_WHITE), noise=noise, gain=field)
        scaling = replace(scaling, shape=shape, delta_rows=scaling.delta_rows[: shape[0]], delta_columns=scaling.delta_columns[: shape[1]])
    return info, scaling


def _dng_cfa(path: Path, tags: FileTags) -> Cfa:
    kind = (tags.numbers(t.PHOTOMETRIC) or (0,))[0]
    if not tags.raw:
        raise InputFileError(f"{path}: a DNG without raw data (no CFA or LinearRaw directory)")
    floating = (tags.numbers(t.SAMPLE_FORMAT) or (1,))[0] == 3
    if kind != t.CFA_PHOTOMETRIC and (tags.numbers(t.SAMPLES) or (1,))[0] == 1 and not floating:
        if kind == t.LINEAR_PHOTOMETRIC and tags.shot_text(t.SOFTWARE).startswith("burstsr "):
            raise InputFileError(f"{path}: a result of burstsr, not a frame")
        return Cfa.parse("mono")
    if kind == t.LINEAR_PHOTOMETRIC:
        raise InputFileError(f"{path}: already demosaiced (LinearRaw); must be a mosaic")
    if floating:
        raise InputFileError(f"{path}: floating-point mosaic; must be integers of up to 16 bits")
    repeat = tuple(int(v) for v in tags.numbers(t.CFA_REPEAT))
    pattern = [int(v) for v in tags.numbers(t.CFA_PATTERN)]
    if len(repeat) != 2 or min(repeat) < 1 or len(pattern) != repeat[0] * repeat[1]:
        raise InputFileError(f"{path}: {len(pattern)} sites of a colour filter array of {repeat}")
    return cfa_of_sites([pattern[first : first + repeat[1]] for first in range(0, len(pattern), repeat[1])], path)


def dng_area(path: Path, tags: FileTags) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of the active area, in sensor pixels."""
    size = (int((tags.numbers(t.HEIGHT) or (0,))[0]), int((tags.numbers(t.WIDTH) or (0,))[0]))
    area = [int(v) for v in tags.numbers(t.ACTIVE_AREA)] or [0, 0, *size]
    if max(size) > _LARGEST:
        raise InputFileError(f"{path}: {size[1]} x {size[0]} pixels; must be at most {_LARGEST} per side")
    if len(area) != 4 or not (0 <= area[0] < area[2] <= size[0] and 0 <= area[1] < area[3] <= size[1]):
        raise InputFileError(f"{path}: active area {area} of {size[1]} x {size[0]} pixels")
    return area[0], area[1], area[2], area[3]


def bayer(sites: Sequence[Sequence[int]], path: Path) -> Cfa:
    """Return the CFA of (2, 2) `sites`, where 3 is the second green; InputFileError unless they are one of the four Bayer orders."""
    letters = "".join("RGBG"[c] if 0 <= c <= 3 else "?" for row in sites for c in row)
    if letters not in BAYER_ORDERS:
        raise InputFileError(f"{path}: colour filter array {sites}; must be one of {', '.join(BAYER_ORDERS)}")
    return Cfa.parse(letters)


def cfa_of_sites(sites: Sequence[Sequence[int]], path: Path) -> Cfa:
    """Return the CFA of `sites`: 0 red, 1 green, 2 blue, in a Bayer pattern 3 the second green. InputFileError unless every 4 x 4 samples have all colours."""
    if len(sites) == len(sites[0]) == 2:
        return bayer(sites, path)
    if any(c not in (0, 1, 2) for row in sites for c in row):
        raise InputFileError(f"{path}: colour filter array {sites}; must have red, green and blue")
    try:
        cfa = Cfa.from_array(sites)
        cfa.require_dense(str(path))
    except (SettingsError, CfaError) as error:
        raise InputFileError(str(error) if isinstance(error, CfaError) else f"{path}: {error}") from error
    return cfa


def even_shape(height: int, width: int, path: Path) -> tuple[int, int]:
    """Return the size without an odd last row and column, so that it holds complete CFA cells; InputFileError below 32 pixels."""
    if min(height, width) < _SMALLEST:
        raise InputFileError(f"{path}: {width} x {height} pixels; must be at least {_SMALLEST} x {_SMALLEST}")
    return height // 2 * 2, width // 2 * 2


def _default_crop(tags: FileTags) -> tuple[float, ...]:
    """Return DefaultCropOrigin and DefaultCropSize as top, left, bottom and right of the active area; () unless both exist."""
    origin, size = tags.numbers(t.CROP_ORIGIN), tags.numbers(t.CROP_SIZE)
    if len(origin) != 2 or len(size) != 2:
        return ()
    return origin[1], origin[0], origin[1] + size[1], origin[0] + size[0]


def inner_crop(edges: Sequence[float], shape: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Clip top, left, bottom and right to an image of `shape`, which may have lost an odd row or column; None for the whole image, and for invalid crops."""
    if len(edges) != 4 or not np.isfinite(edges).all():
        return None
    top, left, bottom, right = edges[0], edges[1], min(edges[2], shape[0]), min(edges[3], shape[1])
    inside = 0 <= top < bottom and 0 <= left < right and (bottom - top) * (right - left) >= _LEAST_CROP * shape[0] * shape[1]
    return (top, left, bottom, right) if inside and (top, left, bottom, right) != (0, 0, *shape) else None
