"""TIFF directories: read any of classic TIFF, write little-endian ones.

A DNG is a TIFF defined by its tags, and two things must hold to the byte: a copied tag equals the tag that was read, and ISO and exposure
are in a separate Exif directory. Directories therefore are plain {code: Entry}, and pixels are byte strings.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np

from burstsr.core.errors import OutputError

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL, FLOAT, DOUBLE, LONG8 = 1, 2, 3, 4, 5, 7, 10, 11, 12, 16
STRIP_OFFSETS, STRIP_COUNTS, TILE_OFFSETS, TILE_COUNTS = 273, 279, 324, 325
SUB_DIRECTORIES, EXIF_DIRECTORY, GPS_DIRECTORY = 330, 34665, 34853
_ITEM = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8", 13: "u4", 16: "u8"}
_MAGIC = (42, 85, 0x4F52, 0x5352)  # TIFF, Panasonic, Olympus (two)
CLASSIC_LIMIT = 2**32 - 2**24  # bytes of a file that 32-bit offsets reach, with room for directories
_LARGEST_ENTRY = 2**26
_LARGEST_TAGS = 2**28  # bytes of all entries of a file
_MOST_DIRECTORIES = 64
_MOST_PIECES = 2**20  # strips or tiles of an image
_PLACES = (SHORT, LONG, 13, LONG8)  # types of offsets and of byte counts
_FARTHEST = 2**62  # byte that a file may have
_RANGE = {RATIONAL: (0, 2**32 - 1), SRATIONAL: (-(2**31), 2**31 - 1)}  # of a numerator


@dataclass(frozen=True)
class Entry:
    """One tag. kind: TIFF type, 1 to 13, 16. data: its values, little-endian."""

    kind: int
    data: bytes

    @property
    def count(self) -> int:
        """Number of values."""
        return len(self.data) // _width(self.kind)

    def numbers(self, most: int | None = None) -> tuple[float, ...]:
        """The values as numbers, at most the first `most`, rationals divided; 0/0 and x/0 become NaN."""
        data = self.data if most is None else self.data[: most * _width(self.kind)]
        raw = np.frombuffer(data, "<" + _ITEM[self.kind])
        if self.kind not in (RATIONAL, SRATIONAL):
            return tuple(raw.tolist())
        return tuple(n / d if d else float("nan") for n, d in raw.reshape(-1, 2).tolist())

    def text(self) -> str:
        """The value as text, up to the first NUL, stripped."""
        return self.data.split(b"\0")[0].decode("utf-8", "replace").strip()


Directory = dict[int, Entry]


def _width(kind: int) -> int:
    return np.dtype(_ITEM[kind]).itemsize * (2 if kind in (RATIONAL, SRATIONAL) else 1)


def integers(kind: int, *values: int) -> Entry:
    """An entry of BYTE, SHORT or LONG values."""
    return Entry(kind, np.array(values, "<" + _ITEM[kind]).tobytes())


def text(value: str) -> Entry:
    """An ASCII entry."""
    return Entry(ASCII, value.encode("utf-8", "replace").replace(b"\0", b"") + b"\0")


def rationals(values: Iterable[float], kind: int = RATIONAL) -> Entry:
    """RATIONAL or SRATIONAL values, exact to 1e-6 (and wholly where the fraction's denominator is at most a million).

    Raises OutputError for values that the type cannot hold: NaN, infinite, below 0 (RATIONAL) or beyond 32 bits.
    """
    pairs = []
    low, high = _RANGE[kind]
    for value in values:
        if not low <= value <= high:
            raise OutputError(f"a {'signed ' if low else ''}fraction of a TIFF must be between {low} and {high}, not {value:g}")
        fraction = Fraction(float(value)).limit_denominator(1_000_000)
        while abs(fraction.numerator) >= 2**31 and fraction.denominator > 1:
            fraction = fraction.limit_denominator(fraction.denominator // 10 or 1)
        pairs += [fraction.numerator, fraction.denominator]
    return Entry(kind, np.array(pairs, "<" + _ITEM[kind]).tobytes())


def doubles(values: Iterable[float]) -> Entry:
    """DOUBLE values."""
    return Entry(DOUBLE, np.array(list(values), "<f8").tobytes())


def read_directories(file: BinaryIO, base: int = 0) -> list[Directory]:
    """Directories of the TIFF that starts at byte `base`: the first, then the others of the chain, then sub-directories. [] if it is no TIFF.

    Exif and GPS directories are left to `read_directory`, at the offset that the first directory names.
    """
    order, start = byte_order(file, base), _read(file, base + 4, 4)
    if not order or len(start) < 4:
        return []
    directories: list[Directory] = []
    pending, seen, room = [int(struct.unpack(order + "I", start)[0])], {0}, _LARGEST_TAGS
    while pending and len(directories) < _MOST_DIRECTORIES:
        offset = pending.pop(0)
        if offset in seen:
            continue
        seen.add(offset)
        directory, following = _read_directory(file, offset, order, base, room)
        room -= sum(len(entry.data) for entry in directory.values())
        if following not in seen:
            pending.insert(0, following)
        pending += _places(directory.get(SUB_DIRECTORIES), _MOST_DIRECTORIES)
        directories.append(directory)
    return directories


def _places(entry: Entry | None, most: int) -> list[int]:
    """The first values of an entry of offsets or byte counts; [] for an entry of another type."""
    return [int(v) for v in entry.numbers(most)] if entry and entry.kind in _PLACES else []


def byte_order(file: BinaryIO, base: int = 0) -> str:
    """'<' or '>' of the TIFF at byte `base`; '' if it is no TIFF."""
    head = _read(file, base, 4)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    return order if order and len(head) == 4 and struct.unpack(order + "H", head[2:])[0] in _MAGIC else ""


def read_directory(file: BinaryIO, pointer: Entry, base: int = 0) -> Directory:
    """The Exif or GPS directory at which `pointer` points; {} if there is none."""
    order = byte_order(file, base)
    place = _places(pointer, 1)
    return _read_directory(file, place[0], order, base, _LARGEST_TAGS)[0] if order and place else {}


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    if offset > _FARTHEST:
        return b""
    file.seek(offset)
    return file.read(count)


def _read_directory(file: BinaryIO, offset: int, order: str, base: int, room: int) -> tuple[Directory, int]:
    """Entries at `offset`, and the offset of the next directory of the chain (0: none).

    Entries that are empty, huge or point outside the file are left out, and those beyond `room` bytes: they may all point to the same ones.
    """
    head = _read(file, base + offset, 2)
    if len(head) < 2:
        return {}, 0
    (count,) = struct.unpack(order + "H", head)
    block = file.read(count * 12 + 4)
    directory: Directory = {}
    for start in range(0, min(count * 12, len(block) - 11), 12):
        code, kind, values, place = struct.unpack(order + "HHII", block[start : start + 12])
        if kind not in _ITEM or not 0 < values * _width(kind) <= min(_LARGEST_ENTRY, room):
            continue
        length = values * _width(kind)
        room -= length
        data = block[start + 8 : start + 8 + length] if length <= 4 else _read(file, base + place, length)
        if len(data) == length:
            directory[code] = Entry(kind, data if order == "<" else np.frombuffer(data, ">" + _ITEM[kind]).astype("<" + _ITEM[kind]).tobytes())
    following = struct.unpack(order + "I", block[count * 12 :])[0] if len(block) == count * 12 + 4 else 0
    return directory, int(following)


@dataclass(frozen=True)
class Image:
    """One image of a TIFF. directory: its tags but for the places of its pixels. pieces: its strips or tiles in order, asked for once."""

    directory: Mapping[int, Entry]
    pieces: Iterable[bytes]
    tiled: bool = False


def write_tiff(file: BinaryIO, image: Image, inner: Mapping[int, Directory], inside: Sequence[Image] = (), *, big: bool = False) -> None:
    """A TIFF whose first directory is `image`, with its Exif and GPS directories by pointer code, and images `inside` as its sub-directories.

    Pixels are written as they come, the images in order, then the directories. big: BigTIFF. Raises OverflowError where a classic TIFF would pass 4 GB.
    """
    form = _BIG if big else _CLASSIC
    file.write(form.head)
    position, complete = len(form.head), []
    for one in (image, *inside):
        offsets, counts = [], []
        for piece in one.pieces:
            offsets.append(position)
            counts.append(len(piece))
            file.write(piece)
            file.write(bytes(len(piece) % 2))
            position += len(piece) + len(piece) % 2
            if position > CLASSIC_LIMIT and not big:
                raise OverflowError("a classic TIFF is limited to 4 GB")
        tags = (TILE_OFFSETS, TILE_COUNTS) if one.tiled else (STRIP_OFFSETS, STRIP_COUNTS)
        complete.append({**one.directory, tags[0]: integers(form.kind, *offsets), tags[1]: integers(LONG, *counts)})
    _finish(file, complete, inner, position, form)


def write_directories(file: BinaryIO, directory: Mapping[int, Entry], inner: Mapping[int, Directory]) -> None:
    """A TIFF without pixels, as EXIF in a JPEG is."""
    file.write(_CLASSIC.head)
    _finish(file, [dict(directory)], inner, len(_CLASSIC.head), _CLASSIC)


class _Form(NamedTuple):
    """Classic TIFF or BigTIFF. kind: of an offset. head: the file's first bytes, which end in the first directory's offset. number: of entries."""

    kind: int
    head: bytes
    number: str
    offset: str


_CLASSIC = _Form(LONG, struct.pack("<2sHI", b"II", 42, 0), "<H", "<I")
_BIG = _Form(LONG8, struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0), "<Q", "<Q")


def _finish(file: BinaryIO, images: Sequence[Directory], inner: Mapping[int, Directory], position: int, form: _Form) -> None:
    """Directories at `position`, the end of the file, the first image's last, and its place in the header."""
    first, *inside = images
    pointers: dict[int, list[int]] = {}
    for code, entries in (*inner.items(), *((SUB_DIRECTORIES, entries) for entries in inside)):
        if entries:
            pointers.setdefault(code, []).append(position)
            block = _directory_bytes(entries, position, form)
            file.write(block)
            position += len(block)
    first.update({code: integers(form.kind, *places) for code, places in pointers.items()})
    file.write(_directory_bytes(first, position, form))
    width = struct.calcsize(form.offset)
    file.seek(len(form.head) - width)
    file.write(struct.pack(form.offset, position))


def _directory_bytes(directory: Mapping[int, Entry], position: int, form: _Form) -> bytes:
    """Return a directory for byte `position` of the file, followed by its long values; an even number of bytes."""
    head, tail = struct.pack(form.number, len(directory)), b""
    width = struct.calcsize(form.offset)
    values_at = position + len(head) + (4 + 2 * width) * len(directory) + width
    for code, entry in sorted(directory.items()):
        head += struct.pack("<HH", code, entry.kind) + struct.pack(form.offset, entry.count)
        if len(entry.data) <= width:
            head += entry.data.ljust(width, b"\0")
        else:
            head += struct.pack(form.offset, values_at + len(tail))
            tail += entry.data + bytes(len(entry.data) % 2)
    return head + bytes(width) + tail


def segments(directory: Mapping[int, Entry]) -> Sequence[tuple[int, int]]:
    """(offset, bytes) of every strip or tile of a directory; none of more than _MOST_PIECES."""
    for offsets, counts in ((TILE_OFFSETS, TILE_COUNTS), (STRIP_OFFSETS, STRIP_COUNTS)):
        if offsets in directory and counts in directory:
            found = list(zip(*(_places(directory[code], _MOST_PIECES + 1) for code in (offsets, counts)), strict=False))
            return found if len(found) <= _MOST_PIECES else []
    return []
