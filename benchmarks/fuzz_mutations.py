"""Mutations of `benchmarks.fuzz`: bytes of any file, tags of TIFF-based ones, values of JSON and TOML. One generator draws all: a case is its seed."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Rng = np.random.Generator
INTEGERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 32767, 32768, 65534, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
NUMBERS = (0.0, -0.0, 1.0, -1.0, -112.0, 0.5, 65535.0, 1e-300, 1e38, 1e308, -1e308, float("nan"), float("inf"), float("-inf"))
CODES = (
    *(254, 256, 257, 258, 259, 262, 270, 271, 272, 273, 274, 277, 278, 279, 284, 306, 317, 322, 323, 324, 325, 330, 339, 700, 33421, 33422, 33434, 33437),
    *(34665, 34853, 34855, 36867, 37386, 37521, 50706, 50707, 50708, 50710, 50711, 50712, 50713, 50714, 50715, 50716, 50717, 50719, 50720, 50721, 50722),
    *(50723, 50724, 50727, 50728, 50729, 50730, 50778, 50779, 50829, 51008, 51009, 51022, 51041),
)
_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_WORDS = ("", "x", "ÿ\u0000", "9" * 400, "../../etc", "nan", "-1", "a" * 70_000, "\ud800", "<x:xmpmeta>")


class _Entry(NamedTuple):
    """A directory entry. at: its byte. place: of its values, 0 where they are inside."""

    at: int
    code: int
    kind: int
    number: int


def mutated_bytes(data: bytes, rng: Rng) -> bytes:
    """Flip, overwrite, cut, repeat or exchange bytes, more often in the first 2 kB."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if not changed:
            break
        reach = len(changed) if rng.random() < 0.4 else min(len(changed), 2048)
        at = int(rng.integers(reach))
        how = rng.random()
        if how < 0.45:
            changed[at] ^= 1 << int(rng.integers(8))
        elif how < 0.7:
            changed[at : at + 4] = struct.pack("<I", _pick(INTEGERS, rng))[: len(changed) - at]
        elif how < 0.8:
            changed[at : at + int(rng.integers(1, 64))] = b""
        elif how < 0.9:
            changed[at:at] = changed[at : at + int(rng.integers(1, 64))]
        elif how < 0.95:
            changed[at : at + 16] = rng.bytes(16)
        else:
            del changed[at:]
    return bytes(changed)


def mutated_tiff(data: bytes, rng: Rng) -> bytes:
    """Change one to three entries of a little-endian TIFF's directories: code, type, count, values; values of hostile size go to the end of the file."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        entries = _entries(bytes(changed))
        if not entries:
            break
        entry = entries[int(rng.integers(len(entries)))]
        if rng.random() < 0.15:
            struct.pack_into("<H", changed, entry.at, _pick(CODES, rng))
        _pick((_change_number, _change_number, _change_value, _change_count, _change_kind, _to_long_list, _to_itself), rng)(changed, entry, rng)
    if rng.random() < 0.1:
        return mutated_bytes(bytes(changed), rng)
    return bytes(changed)


def mutated_text(text: str, rng: Rng) -> bytes:
    """Change values of JSON where it is JSON, else numbers and words of the text; sometimes bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(text.encode(), rng)
    try:
        value = json.loads(text)
    except ValueError:
        return _other_words(text, rng).encode("utf-8", "surrogatepass")
    for _ in range(int(rng.integers(1, 3))):
        value = _changed_json(value, rng)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _entries(data: bytes) -> list[_Entry]:
    """Entries of all directories that can be reached."""
    found: list[_Entry] = []
    if data[:4] != b"II*\0":
        return found
    pending, seen = [int(struct.unpack_from("<I", data, 4)[0])], set[int]()
    while pending and len(seen) < 8:
        at = pending.pop()
        if at in seen or at + 2 > len(data):
            continue
        seen.add(at)
        for n in range(min(struct.unpack_from("<H", data, at)[0], 200)):
            place = at + 2 + 12 * n
            if place + 12 > len(data):
                break
            code, kind, count, value = struct.unpack_from("<HHII", data, place)
            found.append(_Entry(place, code, kind, count))
            if code in (330, 34665, 34853) and count == 1:
                pending.append(value)
    return found


def _change_number(data: bytearray, entry: _Entry, rng: Rng) -> None:
    """Write a list of as many numbers, one or all of them hostile, as FLOAT, DOUBLE, RATIONAL or integers, at the end of the file."""
    count = min(max(entry.number, 1), 4096)
    kind = _pick((5, 10, 11, 12, 12, 4, 9, 3), rng)
    one = [_pick(INTEGERS, rng) if kind in (3, 4, 5, 9, 10) else _pick(NUMBERS, rng) for _ in range(1 if rng.random() < 0.7 else count)]
    values = (one * count)[:count]
    with np.errstate(all="ignore"):
        if kind in (5, 10):
            raw = np.array([n % 2**32 for v in values for n in (v, _pick((0, 1, 1, 1000), rng))], "<u4").tobytes()
        elif kind in (11, 12):
            raw = np.array(values, {11: "<f4", 12: "<f8"}[kind]).tobytes()
        else:
            raw = np.array(values, "<i8").astype({3: "<u2", 4: "<u4", 9: "<i4"}[kind]).tobytes()
    _put(data, entry, kind, count, raw)


def _change_value(data: bytearray, entry: _Entry, rng: Rng) -> None:
    struct.pack_into("<I", data, entry.at + 8, _pick(INTEGERS, rng) if rng.random() < 0.7 else int(rng.integers(len(data) + 9)))


def _change_count(data: bytearray, entry: _Entry, rng: Rng) -> None:
    struct.pack_into("<I", data, entry.at + 4, _pick(INTEGERS, rng))


def _change_kind(data: bytearray, entry: _Entry, rng: Rng) -> None:
    struct.pack_into("<H", data, entry.at + 2, int(rng.integers(0, 20)))


def _to_long_list(data: bytearray, entry: _Entry, rng: Rng) -> None:
    """Give the entry up to 2 million values, of which the file has all."""
    kind = _pick((1, 3, 4, 12), rng)
    count = int(10 ** rng.uniform(1, 6.3 if rng.random() < 0.2 else 3.5))
    _put(data, entry, kind, count, np.full(count * _WIDTH[kind] // 4 + 1, _pick(INTEGERS, rng), "<u4").tobytes()[: count * _WIDTH[kind]])


def _to_itself(data: bytearray, entry: _Entry, rng: Rng) -> None:
    """Make the entry a pointer to a directory that holds it, or to any other place."""
    struct.pack_into("<HHII", data, entry.at, _pick((330, 34665, 34853, entry.code), rng), 4, 1, _pick((8, entry.at, entry.at - 2, len(data) - 4), rng) % 2**32)


def _put(data: bytearray, entry: _Entry, kind: int, count: int, raw: bytes) -> None:
    struct.pack_into("<HI", data, entry.at + 2, kind, count)
    if len(raw) <= 4:
        data[entry.at + 8 : entry.at + 12] = raw.ljust(4, b"\0")
    else:
        struct.pack_into("<I", data, entry.at + 8, len(data))
        data += raw


def gain_map_bomb(rng: Rng) -> bytes:
    """An OpcodeList2 of many, large or contradicting gain maps."""
    maps = int(_pick((1, 2, 40, 5000, 20_000), rng))
    points = _pick(((1, 1), (2, 2), (300, 300), (0, 0), (65535, 65535)), rng)
    held = min(points[0] * points[1], 90_000)
    numbers = [_pick((0, 1, 2, 40, 10**6, 2**32 - 1), rng) for _ in range(8)]
    body = struct.pack(">10I4dI", *numbers, *points, *(_pick((0.0, 0.5, 1.0, -1.0, 1e-300, float("nan")), rng) for _ in range(4)), 1)
    body += np.full(held, _pick((1.0, 0.0, 2.0, -1.0, 1e9, np.nan), rng), ">f4").tobytes()
    one = struct.pack(">4I", 9, 0x01030000, 0, len(body)) + body
    return struct.pack(">I", _pick((maps, maps, 2**32 - 1), rng)) + one * min(maps, 30_000_000 // len(one))


def with_tag(data: bytes, code: int, kind: int, count: int, raw: bytes, rng: Rng) -> bytes:
    """Return the TIFF with one of its entries, of little consequence, replaced by a tag."""
    changed = bytearray(data)
    entries = _entries(data)
    spare = [entry for entry in entries if entry.code in (code, 50708, 305, 306, 271)] or entries
    if spare:
        entry = next((e for e in spare if e.code == code), spare[int(rng.integers(len(spare)))])
        struct.pack_into("<H", changed, entry.at, code)
        _put(changed, entry, kind, count, raw)
    return bytes(changed)


def _changed_json(value: Any, rng: Rng) -> Any:  # noqa: ANN401
    """Return the value with one of its parts, at any depth, replaced, removed, doubled or nested."""
    if rng.random() < 0.06 or not isinstance(value, dict | list) or not value:
        return _hostile(value, rng)
    keys: Sequence[Any] = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[int(rng.integers(len(keys)))]
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    how = rng.random()
    if how < 0.1:
        del copy[key]
    elif how < 0.15 and isinstance(copy, list):
        copy.append(copy[0])
    elif how < 0.2 and isinstance(copy, dict):
        copy[_pick(_WORDS, rng)] = copy[key]
    else:
        copy[key] = _changed_json(value[key], rng)
    return copy


def _hostile(value: Any, rng: Rng) -> Any:  # noqa: ANN401
    deep: Any = value
    for _ in range(int(_pick((1, 5, 400), rng))):
        deep = [deep]
    return _pick((*NUMBERS, *INTEGERS, *_WORDS, None, True, [], {}, [[]], 10**400, deep, {"a": value}, [value] * 5000), rng)


def _other_words(text: str, rng: Rng) -> str:
    """Exchange numbers or words of a text for hostile ones."""
    places = list(re.finditer(r"[-+.\w]+", text)) or list(re.finditer(r"^", text))
    for _ in range(int(rng.integers(1, 4))):
        found = places[int(rng.integers(len(places)))]
        new = str(_pick((*NUMBERS, *INTEGERS, *_WORDS, "9" * 5000, "[" * 3000, "\n[a]\nb=", "=", "1e999"), rng))
        text = text[: found.start()] + new + text[found.end() :]
        places = list(re.finditer(r"[-+.\w]+", text)) or list(re.finditer(r"^", text))
    return text


def _pick(choices: Sequence[Any], rng: Rng) -> Any:  # noqa: ANN401
    return choices[int(rng.integers(len(choices)))]


Mutation = Callable[[bytes, Rng], bytes]
