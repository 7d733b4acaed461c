"""The sRGB colour profile, generated from its specification (IEC 61966-2-1; ICC.1:2001-04, version 2.4, matrix and tone curve)."""

from __future__ import annotations

import struct
from functools import cache

import numpy as np

from burstsr.core.srgb import decode_srgb

# Primaries of sRGB adapted from D65 to the profile connection space, D50 (Bradford), in XYZ
_RED, _GREEN, _BLUE = (0.4360747, 0.2225045, 0.0139322), (0.3850649, 0.7168786, 0.0971045), (0.1430804, 0.0606169, 0.7141733)
_D50 = (0.9642, 1.0, 0.8249)
_CURVE_POINTS = 1024


@cache
def srgb_profile() -> bytes:
    """Return an ICC profile for sRGB-encoded images."""
    encoded = np.linspace(0, 1, _CURVE_POINTS)
    linear = decode_srgb(encoded)
    curve = b"curv" + bytes(4) + struct.pack(">I", _CURVE_POINTS) + np.rint(linear * 65535).astype(">u2").tobytes()
    name = b"sRGB\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(4 + 4 + 2 + 1 + 67),
        b"cprt": b"text" + bytes(4) + b"No copyright, use freely\0",
        b"wtpt": _xyz(_D50),
        b"rXYZ": _xyz(_RED),
        b"gXYZ": _xyz(_GREEN),
        b"bXYZ": _xyz(_BLUE),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    placed: dict[bytes, int] = {}
    for signature, data in tags.items():
        if data not in placed:
            placed[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", signature, placed[data], len(data))
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + date + b"acsp"
    head = head.ljust(64, b"\0") + struct.pack(">I", 0) + struct.pack(">3i", *[round(v * 65536) for v in _D50])
    return head.ljust(128, b"\0") + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *[round(v * 65536) for v in values])
