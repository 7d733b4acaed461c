"""LibRaw's camera name for files without tags (CIFF of old Canons, QuickTake), through its C interface, since rawpy does not expose it."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import rawpy

_NAME = 64  # bytes of a text in libraw_iparams_t, since LibRaw 0.16
_LIBRARIES = ("libraw_r*", "raw_r*.dll", ".dylibs/libraw_r*", "../rawpy.libs/*raw_r*")


class _Parameters(ctypes.Structure):
    """The beginning of libraw_iparams_t."""

    _fields_ = (("guard", ctypes.c_char * 4), ("make", ctypes.c_char * _NAME), ("model", ctypes.c_char * _NAME))


def libraw_name(path: Path) -> str:
    """Return make and model; '' where LibRaw does not know them, or is unavailable."""
    library = _library()
    try:
        data = path.read_bytes() if library else b""
    except OSError:
        return ""
    handle = library.libraw_init(0) if data else None
    if not handle:
        return ""
    try:
        if library.libraw_open_buffer(handle, data, len(data)):
            return ""
        found = library.libraw_get_iparams(handle).contents
        make, model = (text.decode("utf-8", "replace").strip() for text in (found.make, found.model))
    finally:
        library.libraw_close(handle)
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


@cache
def _library() -> Any:  # noqa: ANN401  functions of a library that ctypes knows when it is there
    """Return the LibRaw that rawpy uses in this process, or None: its extension is linked with it, or it is beside it."""
    home = Path(rawpy.__file__).parent
    for file in (getattr(rawpy, "_rawpy", rawpy).__file__, *(str(p) for pattern in _LIBRARIES for p in sorted(home.glob(pattern)))):
        try:
            library = ctypes.CDLL(file)
            library.libraw_init.restype = ctypes.c_void_p
            library.libraw_init.argtypes = [ctypes.c_uint]
            library.libraw_open_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
            library.libraw_get_iparams.restype = ctypes.POINTER(_Parameters)
            library.libraw_get_iparams.argtypes = [ctypes.c_void_p]
            library.libraw_close.argtypes = [ctypes.c_void_p]
        except (OSError, AttributeError):
            continue
        return library
    return None
