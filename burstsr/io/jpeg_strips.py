"""JPEG of images larger than memory: encoded strip by strip, on all cores, joined by restart markers (ITU T.81, B.1.1.2).

After a restart marker the prediction of DC coefficients begins anew, as at the top of an image, and with full colour resolution blocks depend on no others:
so strips encoded alone, with the same tables, are those of the image encoded at once, and decode to the same pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import OutputError
from burstsr.io.segments import in_order

JPEG_LIMIT = 65500  # maximum pixels per side of the format
_BLOCK = 8  # pixels along a block
_STRIP = 64  # rows: 8 of blocks, of which the longest have fewer than the 65535 blocks of a restart interval
_START_OF_FRAME, _START_OF_SCAN, _RESTART_INTERVAL, _FIRST_RESTART, _END = 0xC0, 0xDA, 0xDD, 0xD0, b"\xff\xd9"


def jpeg_pieces(path: str | Path, pixels: NDArray[np.uint8], quality: int) -> Iterator[bytes]:
    """Yield the JPEG of (H, W, 3) or (H, W, 1) pixels for the file `path`: its header, then strip by strip. Raises OutputError for what it cannot hold."""
    height, width = pixels.shape[:2]
    if max(height, width) > JPEG_LIMIT:
        raise OutputError(f"{path}: {width} x {height} pixels; JPEG is limited to {JPEG_LIMIT} per side; use png or tiff")
    count = -(-height // _STRIP)

    def strip(number: int) -> bytes:
        part = pixels[number * _STRIP : (number + 1) * _STRIP]
        shown = part if part.shape[2] == 3 else part[..., 0]
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(shown), level=quality, subsampling="444"))

    for number, data in enumerate(in_order(strip, count)):
        header, scan = _split(data)
        if number == 0:
            yield _header(header, height, _STRIP // _BLOCK * -(-width // _BLOCK) if count > 1 else 0)
        yield scan + (_END if number == count - 1 else bytes((0xFF, _FIRST_RESTART + number % 8)))


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Return the header of a JPEG of one scan, the head of the scan included, and its data, without the end marker."""
    at = 2
    while True:
        marker, length = data[at + 1], int(struct.unpack(">H", data[at + 2 : at + 4])[0])
        at += 2 + length
        if marker == _START_OF_SCAN:
            return data[:at], data[at : -len(_END)]


def _header(header: bytes, height: int, interval: int) -> bytes:
    """Return the header of a strip as that of the image: with its height and, unless 0, the restart interval in blocks."""
    out, at = bytearray(header), 2
    while out[at + 1] != _START_OF_SCAN:
        if out[at + 1] == _START_OF_FRAME:
            out[at + 5 : at + 7] = struct.pack(">H", height)
        at += 2 + int(struct.unpack(">H", out[at + 2 : at + 4])[0])
    if interval:
        out[at:at] = struct.pack(">BBHH", 0xFF, _RESTART_INTERVAL, 4, interval)
    return bytes(out)
