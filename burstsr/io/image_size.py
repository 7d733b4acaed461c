"""Sizes that images declare, looked at before their pixels are decoded: a few bytes may declare gigabytes."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import Any

from burstsr.core.errors import InputFileError

_MOST_PIXELS = 2**30
_UNDOUBTED_BYTES = 2**28  # of decoded pixels, that any machine holds
_LARGEST_RATIO = 300  # of decoded to stored bytes; photographs reach 20, only flat images of graphics more
_LARGEST_CHUNK = 2**24  # samples of a strip or tile that may be larger than its image
_PNG, _JPEG, _WEBP, _GIF = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"RIFF", (b"GIF87a", b"GIF89a")
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # markers of JPEG from C0 to CF that do not declare a size
FORMATS = "PNG, TIFF, JPEG, BMP, WebP and GIF"


def check_coded(data: bytes, path: Path) -> None:
    """Raise InputFileError unless bytes begin as a PNG, JPEG, BMP, WebP or GIF image whose declared size is plausible."""
    try:
        if data.startswith(_PNG):
            width, height, depth = struct.unpack_from(">IIB", data, 16)
            check_declared((height, width, 4), max(1, depth // 8), len(data), path)
        elif data.startswith(_JPEG):
            check_declared((*_jpeg_size(data), 3), 1, len(data), path)
        elif data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            check_declared((abs(height), abs(width), 3), 1, len(data), path)
        elif data.startswith(_GIF):
            width, height = struct.unpack_from("<HH", data, 6)
            check_declared((height, width, 3), 1, len(data), path)
        elif not (data.startswith(_WEBP) and data[8:12] == b"WEBP"):  # which has at most 16383 pixels a side
            raise InputFileError(f"{path}: not a readable image; supported are {FORMATS}")
    except struct.error as error:
        raise InputFileError(f"{path}: truncated inside its header") from error


def check_page(page: Any, path: Path) -> Any:  # noqa: ANN401  tifffile's page
    """Return a page that tifffile has opened; InputFileError unless the size that it declares is plausible."""
    shape, chunk, size = tuple(page.shape), tuple(page.chunks), path.stat().st_size
    sample = page.dtype.itemsize if page.dtype is not None else 1
    check_declared(shape, sample, size, path)
    if prod(chunk) > _LARGEST_CHUNK and prod(chunk) > 4 * prod(shape):
        raise InputFileError(f"{path}: strips or tiles of {' x '.join(map(str, chunk))} samples in an image of {' x '.join(map(str, shape))}")
    return page


def check_declared(shape: tuple[int, ...], sample_bytes: int, stored: int, path: Path) -> None:
    """Raise InputFileError for (height, width ...) of no pixels, of more than memory holds, or of far more than `stored` bytes of a photograph can be."""
    size, decoded = " x ".join(str(n) for n in (*shape[1::-1], *shape[2:])), prod(shape) * sample_bytes
    if min(shape, default=0) < 1 or prod(shape[:2]) > _MOST_PIXELS:
        raise InputFileError(f"{path}: declares {size} samples; must be at least 1 and at most {_MOST_PIXELS} pixels")
    if decoded > _UNDOUBTED_BYTES and decoded > _LARGEST_RATIO * stored:
        raise InputFileError(f"{path}: declares {size} samples in a file of {stored} bytes: damaged, or made to fill memory")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return height and width of the first frame header; (1, 1) where there is none, for decoders to say so."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        kind = data[place + 1]
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD7:
            place += 1 if kind == 0xFF else 2
        elif 0xC0 <= kind <= 0xCF and kind not in _NO_FRAME:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return max(height, 1), max(width, 1)
        else:
            place += 2 + int(struct.unpack_from(">H", data, place + 2)[0])
    return 1, 1
