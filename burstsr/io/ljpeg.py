"""Mosaics of DNGs in lossless JPEG, decoded at about three times LibRaw's speed, to the same numbers.

What is not wholly regular is left to LibRaw, whose word on damaged files counts: decoders of JPEG make up what is missing, and say nothing.
LibRaw 0.22 itself misreads mosaics of twice a tile's width.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.tags import FileTags

_LOSSLESS_JPEG = 7
_MARKER = re.compile(rb"\xff[^\x00]")
_START, _END, _SCAN, _FRAME_LOSSLESS, _TABLES = b"\xff\xd8", 0xD9, 0xDA, 0xC3, {0xC4, 0xFE, *range(0xE0, 0xF0)}
_PADDING = 16  # bytes behind a JPEG's end that writers fill up with


def decoded(path: Path, tags: FileTags) -> NDArray[np.uint16] | None:
    """(H, W) uint16 of the whole sensor, as stored; None where LibRaw must be asked.

    Raises OSError, and InputFileError for a tile or strip without a JPEG's head, of which LibRaw makes zeros without a word.
    """
    grid = _grid(tags)
    if grid is None:
        return None
    height, width, piece_height, piece_width, bits = grid
    mosaic = np.empty((height, width), np.uint16)
    places = [(y, x) for y in range(0, height, piece_height) for x in range(0, width, piece_width)]
    segments = tiff.segments(tags.raw)
    if len(segments) != len(places):
        return None
    with open(path, "rb") as file:
        for (y, x), (offset, count) in zip(places, segments, strict=True):
            file.seek(offset)
            data = file.read(count)
            if not _has_scan(data):
                raise InputFileError(f"{path}: damaged: its pixels from row {y}, column {x} on are no JPEG, as its tags promise")
            piece = _piece(data, bits)
            rows, columns = min(piece_height, height - y), min(piece_width, width - x)
            if piece is None or piece.shape[1] != piece_width or not rows <= piece.shape[0] <= piece_height:
                return None
            mosaic[y : y + rows, x : x + columns] = piece[:rows, :columns]
    return mosaic


def _grid(tags: FileTags) -> tuple[int, int, int, int, int] | None:
    """Height and width of the sensor and of a tile or strip, and bits; None for what is no lossless JPEG of one plane of plain numbers."""
    numbers = [tags.numbers(code)[:1] for code in (t.HEIGHT, t.WIDTH, t.BITS, t.COMPRESSION)]
    if not all(numbers) or t.LINEARIZATION in tags.raw or tags.numbers(t.SAMPLES)[:1] not in ((), (1,)):
        return None
    height, width, bits, compression = (int(n[0]) for n in numbers)
    if compression != _LOSSLESS_JPEG or not 8 < bits < 16:  # 16 leave no room in which damage shows
        return None
    if tiff.TILE_OFFSETS in tags.raw:
        piece = [tags.numbers(code)[:1] for code in (t.TILE_HEIGHT, t.TILE_WIDTH)]
    else:
        piece = [tags.numbers(t.ROWS_PER_STRIP)[:1] or (height,), (width,)]
    if not all(piece) or not all(0 < int(p[0]) <= length for p, length in zip(piece, (height, width), strict=True)):
        return None
    return height, width, int(piece[0][0]), int(piece[1][0]), bits


def _piece(data: bytes, bits: int) -> NDArray[np.uint16] | None:
    """(h, w) of one JPEG, its components side by side; None unless it is whole, lossless, of these bits, in one scan without restarts."""
    start = _scan_start(data, bits)
    end = _MARKER.search(data, start) if start else None
    if end is None or end.group() != b"\xff\xd9" or len(data) - end.end() > _PADDING:
        return None
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    except (RuntimeError, ValueError):
        return None
    if pixels.dtype != np.uint16 or pixels.shape[2:] not in ((), (2,)) or int(pixels.max()) >> bits:
        return None
    return pixels.reshape(pixels.shape[0], -1)


def _has_scan(data: bytes) -> bool:
    """Whether bytes begin as a JPEG of any kind, with markers up to that of its coded numbers."""
    position = 2
    while data[:2] == _START and position + 4 <= len(data):
        mark, kind, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF or kind == _END:
            break
        if kind == _SCAN:
            return True
        position += 1 if kind == 0xFF else 2 + length  # fill bytes may precede a marker
    return False


def _scan_start(data: bytes, bits: int) -> int:
    """Where the coded numbers of a lossless JPEG of that many bits begin; 0 for any other."""
    position, lossless = 2, False
    while data[:2] == _START and position + 6 <= len(data):
        mark, kind, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF:
            break
        if kind == _SCAN:
            return position + 2 + length if lossless else 0
        if kind == _FRAME_LOSSLESS and not lossless:
            lossless = data[position + 4] == bits
        elif kind not in _TABLES:
            break
        position += 2 + length
    return 0
