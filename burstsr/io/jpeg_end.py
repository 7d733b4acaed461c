"""Whether a JPEG is whole. Decoders fill what is missing with grey, and do not say so."""

from __future__ import annotations

_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a length: TEM, RST0 to RST7
_START_OF_IMAGE, _END_OF_IMAGE = 0xD8, 0xD9


def is_whole(data: bytes) -> bool:
    """Whether the first image of a JPEG reaches its end marker (ITU T.81, B.1.1); what follows does not matter."""
    place = 0
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            return False
        marker = data[place + 1]
        if marker == _END_OF_IMAGE:
            return True
        if marker == 0xFF:  # fill byte
            place += 1
        elif marker in (0x00, _START_OF_IMAGE) or marker in _STANDALONE:
            place += 2
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
