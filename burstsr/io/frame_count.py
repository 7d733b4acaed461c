"""Number of images in a display file: pages of a TIFF, frames of an animated PNG, GIF or WebP. Readers take the first; the rest must not go unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_REDUCED = 1  # bit of NewSubfileType: a smaller version of another page


def frame_count(data: bytes) -> int:
    """Return the number of frames of a coded image, 1 where the format has only one, or the file is damaged."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _of_png(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return max(1, sum(1 for _ in _gif_images(data)))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return max(1, _chunks_of_webp(data))
    except IndexError:
        return 1
    return 1


def page_count(pages: Any) -> int:  # noqa: ANN401  tifffile has no types
    """Return the number of pages of a TIFF that are not smaller versions of others."""
    return max(1, sum(1 for page in pages if not int(getattr(page, "subfiletype", 0) or 0) & _REDUCED))


def _of_png(data: bytes) -> int:
    place = 8
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if kind == b"acTL":
            return max(1, int.from_bytes(data[place + 8 : place + 12], "big"))
        if kind == b"IDAT":  # the animation's header comes before
            return 1
        place += 12 + length
    return 1


def _gif_images(data: bytes) -> Iterator[int]:
    """Yield the position of every image descriptor (GIF89a, section 20)."""
    place = 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    while data[place] != 0x3B:
        if data[place] == 0x2C:
            yield place
            place += 10 + (3 << (data[place + 9] % 8 + 1) if data[place + 9] & 0x80 else 0) + 1
        elif data[place] == 0x21:
            place += 2
        else:
            return
        while data[place]:  # sub-blocks
            place += 1 + data[place]
        place += 1


def _chunks_of_webp(data: bytes) -> int:
    place, found = 12, 0
    while place + 8 <= len(data):
        found += data[place : place + 4] == b"ANMF"
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    return found
