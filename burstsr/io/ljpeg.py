"""Decoding of DNG mosaics in lossless JPEG, about three times as fast as LibRaw, to the same values.

Anything irregular is left to LibRaw, whose errors for damaged files count: JPEG decoders silently invent missing data.
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
_PADDING = 16  # padding bytes after the end of a JPEG


def decoded(path: Path, tags: FileTags) -> NDArray[np.uint16] | None:
    """Decode the (H, W) uint16 mosaic of the whole sensor, as stored; None where LibRaw must decode it.

    Raises OSError, and InputFileError for a tile or strip without a JPEG header, which LibRaw silently decodes as zeros.
    """
    grid = _grid(tags)
    if grid is None:
        return None
    height, width, piece_height, piece_width, bits = grid
    segments = tiff.segments(tags.raw)
    if len(segments) != -(-height // piece_height) * -(-width // piece_width):
        return None
    places = [(y, x) for y in range(0, height, piece_height) for x in range(0, width, piece_width)]
    mosaic = np.empty((height, width), np.uint16)
    with open(path, "rb") as file:
        for (y, x), (offset, count) in zip(places, segments, strict=True):
            file.seek(offset)
            data = file.read(count)
            if not _has_scan(data):
                raise InputFileError(f"{path}: damaged: pixel data from row {y}, column {x} is not JPEG as the tags say")
            rows, columns = min(piece_height, height - y), min(piece_width, width - x)
            if not _is_of_size(data, range(rows, piece_height + 1), piece_width):
                return None
            piece = _piece(data, bits)
            if piece is None:
                return None
            mosaic[y : y + rows, x : x + columns] = piece[:rows, :columns]
    return mosaic


def _grid(tags: FileTags) -> tuple[int, int, int, int, int] | None:
    """Return height and width of the sensor and of a tile or strip, and the bit depth; None unless it is lossless JPEG of one plane of integers."""
    height, width, bits, compression = (tags.whole(code) for code in (t.HEIGHT, t.WIDTH, t.BITS, t.COMPRESSION))
    if not height or not width or t.LINEARIZATION in tags.raw or tags.numbers(t.SAMPLES)[:1] not in ((), (1,)):
        return None
    if compression != _LOSSLESS_JPEG or not 8 < bits < 16:  # with 16 bits damage cannot be detected
        return None
    if tiff.TILE_OFFSETS in tags.raw:
        piece_height, piece_width = tags.whole(t.TILE_HEIGHT), tags.whole(t.TILE_WIDTH)
    else:
        piece_height, piece_width = tags.whole(t.ROWS_PER_STRIP) or height, width
    if not (0 < piece_height <= height and 0 < piece_width <= width):
        return None
    return height, width, piece_height, piece_width, bits


def _piece(data: bytes, bits: int) -> NDArray[np.uint16] | None:
    """Decode (h, w) of one JPEG, its components side by side; None unless it is complete, lossless, of these bits, in one scan without restarts."""
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


def _is_of_size(data: bytes, heights: range, width: int) -> bool:
    """Whether a lossless JPEG declares a size that fits, components side by side: it may declare gigabytes, which decoding would reserve."""
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF and data[position + 1] != _SCAN:
        if data[position + 1] == _FRAME_LOSSLESS:
            rows, columns, components = struct.unpack_from(">HHB", data, position + 5)
            return rows in heights and columns * components == width
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    return False


def _has_scan(data: bytes) -> bool:
    """Whether bytes start as a JPEG of any kind, with markers up to the entropy-coded data."""
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
    """Return the start of the entropy-coded data of a lossless JPEG of that bit depth; 0 for any other."""
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
