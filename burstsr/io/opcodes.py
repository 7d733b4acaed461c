"""Gain maps of OpcodeList2 (lens shading correction), read and written; LibRaw ignores them (DNG 1.4, chapter 7, opcode 9)."""

from __future__ import annotations

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError

log = logging.getLogger(__name__)
_GAIN_MAP = 9
_OPTIONAL = 1
_SINCE = 0x01030000  # DNG 1.3
_MOST_OPCODES = 256  # a list has one gain map a colour or site, and a few others
_MOST_POINTS, _MOST_PLANES = 4096, 4  # of a gain map: they have a few dozen points a side, one plane
_LARGEST_GAIN = 1000  # lens shading takes 2 to 10


@dataclass(frozen=True)
class GainMap:
    """Gain over a part of the mosaic. top, left, bottom, right, row_pitch, column_pitch: its sites, in raw pixels of the visible area.

    spacing, origin: of the map's points, (y, x) in fractions of the visible area. gain: (points down, points across) float32.
    """

    top: int
    left: int
    bottom: int
    right: int
    row_pitch: int
    column_pitch: int
    spacing: tuple[float, float]
    origin: tuple[float, float]
    gain: NDArray[np.float32]


def whole_frame(gain: NDArray[np.float32], shape: tuple[int, int]) -> GainMap:
    """Return the map of all sites of a frame of `shape` (H, W), with `gain` (points down, points across) spaced evenly from corner to corner."""
    spacing = (1 / max(gain.shape[0] - 1, 1), 1 / max(gain.shape[1] - 1, 1))
    return GainMap(0, 0, *shape, 1, 1, spacing, (0.0, 0.0), np.asarray(gain, np.float32))


def written_gain_maps(maps: Sequence[GainMap]) -> bytes:
    """Encode `maps` as an opcode list for `read_gain_maps`."""
    data = struct.pack(">I", len(maps))
    for m in maps:
        area = (m.top, m.left, m.bottom, m.right, 0, 1, m.row_pitch, m.column_pitch)
        body = struct.pack(">10I4dI", *area, *m.gain.shape, *m.spacing, *m.origin, 1) + m.gain.astype(">f4").tobytes()
        data += struct.pack(">4I", _GAIN_MAP, _SINCE, 0, len(body)) + body
    return data


def read_gain_maps(data: bytes, path: Path) -> list[GainMap]:
    """Read the gain maps of an opcode list (always big-endian). Unknown optional opcodes are ignored with a warning.

    Raises InputFileError for an invalid list, and for an unknown opcode that is not optional.
    """
    try:
        return _gain_maps(data, path)
    except (struct.error, ValueError) as error:
        raise InputFileError(f"{path}: invalid OpcodeList2 ({error})") from error


def _gain_maps(data: bytes, path: Path) -> list[GainMap]:
    maps: list[GainMap] = []
    (count,), position = struct.unpack_from(">I", data), 4
    if count > _MOST_OPCODES:
        raise ValueError(f"{count} opcodes; must be at most {_MOST_OPCODES}")
    for _ in range(count):
        opcode, _, flags, size = struct.unpack_from(">IIII", data, position)
        body = data[position + 16 : position + 16 + size]
        position += 16 + size
        if opcode == _GAIN_MAP:
            maps.append(_gain_map(body))
        elif flags & _OPTIONAL:
            log.warning("%s: optional opcode %d of OpcodeList2 is not applied", path, opcode)
        else:
            raise InputFileError(f"{path}: OpcodeList2 requires opcode {opcode}; only gain maps (9) are supported")
    return maps


def _gain_map(body: bytes) -> GainMap:
    top, left, bottom, right, _plane, _planes, row_pitch, column_pitch, down, across = struct.unpack_from(">10I", body)
    spacing_y, spacing_x, origin_y, origin_x = struct.unpack_from(">4d", body, 40)
    (planes,) = struct.unpack_from(">I", body, 72)
    if max(down, across) > _MOST_POINTS or not 1 <= planes <= _MOST_PLANES:
        raise ValueError(f"a gain map of {down} x {across} points in {planes} planes; must be at most {_MOST_POINTS} points a side, and {_MOST_PLANES} planes")
    values = np.frombuffer(body, ">f4", down * across * planes, 76).reshape(down, across, planes)[:, :, 0]
    if min(down, across, row_pitch, column_pitch) < 1 or not np.isfinite((spacing_y, spacing_x, origin_y, origin_x)).all():
        raise ValueError("a gain map is empty or outside the image")
    if not ((values >= 0) & (values <= _LARGEST_GAIN)).all():
        raise ValueError(f"a gain map with gains outside 0 to {_LARGEST_GAIN}")
    return GainMap(top, left, bottom, right, row_pitch, column_pitch, (spacing_y, spacing_x), (origin_y, origin_x), np.ascontiguousarray(values, np.float32))


def gain_rows(maps: list[GainMap], shape: tuple[int, int], first: int, last: int) -> NDArray[np.float32]:
    """Return the (last - first, W) float32 product of all maps at rows first .. last of a mosaic of `shape` (H, W), bilinear between the maps' points."""
    height, width = shape
    result = np.ones((last - first, width), np.float32)
    for m in maps:
        rows = np.arange(m.top, min(m.bottom, height), m.row_pitch)
        rows = rows[(rows >= first) & (rows < last)]
        columns = np.arange(m.left, min(m.right, width), m.column_pitch)
        y, fy = _between_points(rows, height, m.spacing[0], m.origin[0], m.gain.shape[0])
        x, fx = _between_points(columns, width, m.spacing[1], m.origin[1], m.gain.shape[1])
        y1, x1 = np.minimum(y + 1, m.gain.shape[0] - 1), np.minimum(x + 1, m.gain.shape[1] - 1)
        across = m.gain[:, x] * (1 - fx) + m.gain[:, x1] * fx
        result[np.ix_(rows - first, columns)] *= across[y] * (1 - fy)[:, None] + across[y1] * fy[:, None]
    return result


def _between_points(pixels: NDArray[np.intp], length: int, spacing: float, origin: float, points: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the map point at or before the centre of each pixel, and the fraction of the way to the next; constant beyond the ends."""
    place = np.clip(((pixels + 0.5) / length - origin) / spacing if spacing > 0 else np.zeros(len(pixels)), 0, points - 1)
    whole = np.minimum(place.astype(np.intp), max(points - 2, 0))
    return whole, (place - whole).astype(np.float32)
