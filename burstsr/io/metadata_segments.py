"""Metadata segments of PNG and JPEG files: inserted beside the pixels, and read back."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping

from burstsr.core.errors import InputFileError

_PNG_XMP = b"XML:com.adobe.xmp"
_JPEG_XMP, _JPEG_EXIF, _JPEG_ICC = b"http://ns.adobe.com/xap/1.0/\0", b"Exif\0\0", b"ICC_PROFILE\0"
_JPEG_MOST = 65533  # bytes of a segment
_PNG_HEAD = 8 + 4 + 4 + 13 + 4  # signature, and the header with its checksum
_MOST_PROFILE = 2**26  # bytes, decompressed
_BARE_MARKERS = {0x01, *range(0xD0, 0xD9)}


def png_with(data: bytes, icc: bytes | None, exif: bytes | None = None, xmp: bytes | None = None) -> bytes:
    """Insert a colour profile, an EXIF block (a TIFF) and an XMP packet into a PNG."""
    chunks = b""
    if icc:
        chunks += _chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))
    if exif:
        chunks += _chunk(b"eXIf", exif)
    if xmp:
        chunks += _chunk(b"iTXt", _PNG_XMP + b"\0\0\0\0\0" + xmp)
    return data[:_PNG_HEAD] + chunks + data[_PNG_HEAD:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg_with(data: bytes, icc: bytes | None, exif: bytes | None = None, xmp: bytes | None = None) -> bytes:
    """Insert the same into a JPEG, after the JFIF segment; what is too long for a segment is dropped, a profile is split into several."""
    blocks = []
    if exif and len(exif) <= _JPEG_MOST - len(_JPEG_EXIF):
        blocks.append(_marker(0xE1, _JPEG_EXIF + exif))
    if xmp and len(xmp) <= _JPEG_MOST - len(_JPEG_XMP):
        blocks.append(_marker(0xE1, _JPEG_XMP + xmp))
    pieces = [icc[i : i + 65000] for i in range(0, len(icc), 65000)] if icc else []
    blocks += [_marker(0xE2, _JPEG_ICC + bytes((number, len(pieces))) + piece) for number, piece in enumerate(pieces, 1)]
    start = 4 + struct.unpack(">H", data[4:6])[0] if data[2:4] == b"\xff\xe0" else 2
    return data[:start] + b"".join(blocks) + data[start:]


def _marker(code: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(data) + 2) + data


def read_blocks(data: bytes, path: object) -> Mapping[str, bytes]:
    """Read "icc", "exif" and "xmp" of a PNG or JPEG; {} for other files. Damaged segments are ignored. InputFileError for a truncated file."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return dict(_png_blocks(data))
        if data[:2] == b"\xff\xd8":
            return _joined(_jpeg_blocks(data))
    except (struct.error, IndexError) as error:
        raise InputFileError(f"{path}: truncated inside its metadata") from error
    return {}


def _png_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind == b"eXIf":
            yield "exif", body
        elif kind == b"iTXt" and body.startswith(_PNG_XMP + b"\0\0"):
            yield "xmp", body[len(_PNG_XMP) + 3 :].split(b"\0", 2)[-1]
        elif kind == b"iCCP":
            try:
                yield "icc", zlib.decompressobj().decompress(body[body.index(b"\0") + 2 :], _MOST_PROFILE)
            except (zlib.error, ValueError):
                pass
        place += 12 + length


def _jpeg_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        if data[place + 1] in _BARE_MARKERS or data[place + 1] == 0xFF:
            place += 1 if data[place + 1] == 0xFF else 2
            continue
        length = struct.unpack(">H", data[place + 2 : place + 4])[0]
        body = data[place + 4 : place + 2 + length]
        for name, code, start in (("exif", 0xE1, _JPEG_EXIF), ("xmp", 0xE1, _JPEG_XMP), ("icc", 0xE2, _JPEG_ICC)):
            if data[place + 1] == code and body.startswith(start):
                yield name, body[len(start) :]
        place += 2 + length


def _joined(blocks: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Join the chunks of a profile, each preceded by its number and their count, in order."""
    found: dict[str, bytes] = {}
    pieces: dict[int, bytes] = {}
    for name, body in blocks:
        if name == "icc" and len(body) > 2:
            pieces[body[0]] = body[2:]
        else:
            found.setdefault(name, body)
    return found | ({"icc": b"".join(pieces[n] for n in sorted(pieces))} if pieces else {})
