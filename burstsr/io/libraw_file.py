"""What LibRaw tells of a file, and its mosaic, without LibRaw: so that it can be decoded in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io.libraw_lines import LibRawLines
from burstsr.io.pages import split

_SIZES = ("height", "width", "top_margin", "left_margin", "pixel_aspect", "flip", "crop_height", "crop_width", "crop_top_margin", "crop_left_margin")
_OTHER = ("iso_speed", "shutter_speed", "aperture", "focal_length")
_PERIOD = 6  # rows and columns after which any pattern that LibRaw knows, of 2 or of 6, repeats


@dataclass(frozen=True)
class LibRawFile:
    """A decoded file, with the names of rawpy. raw_image: (H, W) of the whole sensor. printed: LibRaw's warnings."""

    facts: Mapping[str, Any]
    raw_image: NDArray[Any]
    sizes: SimpleNamespace = field(init=False)
    other: SimpleNamespace | None = field(init=False)

    def __post_init__(self) -> None:
        other = self.facts["other"]
        moment = other and other["timestamp"]
        object.__setattr__(self, "sizes", SimpleNamespace(**self.facts["sizes"]))
        object.__setattr__(self, "other", SimpleNamespace(**{**other, "timestamp": datetime.fromisoformat(moment) if moment else None}) if other else None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  any fact
        try:
            return vars(self)["facts"][name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def raw_pattern(self) -> NDArray[np.uint8] | None:
        """The colour filter array of the whole sensor; None without one. Raises NotImplementedError for a pattern that rawpy does not know."""
        if self.facts["unknown_pattern"]:
            raise NotImplementedError(self.facts["unknown_pattern"])
        pattern = self.facts["pattern"]
        return None if pattern is None else np.array(pattern, np.uint8)

    @property
    def color_desc(self) -> bytes:
        """Letters of the colours."""
        return str(self.facts["colours"]).encode("latin-1")

    def raw_color(self, y: int, x: int) -> int:
        """Return the colour of a site of the whole sensor."""
        return int(self.facts["sites"][y % _PERIOD][x % _PERIOD])


def decoded_here(path: Path) -> LibRawFile:
    """Decode a file with LibRaw in this process, and check that it is a single flat mosaic of red, green and blue. Raises InputFileError."""
    with LibRawLines(path) as lines:
        try:
            raw = opened_by_libraw(path)
            raw.unpack()
        except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
            raise InputFileError(f"{path}: unsupported raw format (LibRaw {_version()}: {_reason(error, lines.text)})") from error
        except rawpy.LibRawError as error:
            raise InputFileError(f"{path}: truncated or corrupt ({_reason(error, lines.text)})") from error
        printed = lines.text
    with raw:
        if raw.raw_type != rawpy.RawType.Flat or raw.raw_image is None:
            raise InputFileError(f"{path}: already demosaiced or a layered sensor (LinearRaw, sRAW, Foveon); must be a mosaic")
        return LibRawFile({**_facts(raw), "printed": printed}, np.array(raw.raw_image, order="C"))


def opens_here(path: Path) -> bool:
    """Whether LibRaw opens a file; no pixels are decoded."""
    try:
        with LibRawLines(path), opened_by_libraw(path):
            return True
    except (OSError, ValueError, rawpy.LibRawError):
        return False


def _facts(raw: Any) -> dict[str, Any]:  # noqa: ANN401  rawpy has no types
    """Return all that is asked of a file, ready for JSON."""
    pattern, unknown = None, ""
    try:
        found = raw.raw_pattern
        pattern = None if found is None else np.asarray(found).tolist()
    except NotImplementedError as error:
        unknown = str(error) or "unknown"
    other = getattr(raw, "other", None)  # rawpy >= 0.25
    moment = getattr(other, "timestamp", None)
    sites = [[int(raw.raw_color(y, x)) for x in range(_PERIOD)] for y in range(_PERIOD)] if pattern is not None else []
    return {
        "pattern": pattern,
        "unknown_pattern": unknown,
        "sites": sites,
        "colours": raw.color_desc.decode("latin-1"),
        "num_colors": int(raw.num_colors),
        "sizes": {name: float(getattr(raw.sizes, name)) if name == "pixel_aspect" else int(getattr(raw.sizes, name, 0)) for name in _SIZES},
        "black_level_per_channel": [int(v) for v in raw.black_level_per_channel],
        "white_level": int(raw.white_level),
        "camera_white_level_per_channel": [int(v) for v in raw.camera_white_level_per_channel or ()],
        "rgb_xyz_matrix": np.asarray(raw.rgb_xyz_matrix, np.float64).tolist(),
        "camera_whitebalance": [float(v) for v in raw.camera_whitebalance],
        "daylight_whitebalance": [float(v) for v in raw.daylight_whitebalance],
        "other": other
        and {
            **{name: float(getattr(other, name, 0.0)) for name in _OTHER},
            "timestamp": moment.isoformat() if isinstance(moment, datetime) else None,
        },
    }


def opened_by_libraw(path: Path) -> Any:  # noqa: ANN401  rawpy has no types
    """Open a file with rawpy, which passes names as UTF-8; files with other names are read here. Of a page (`io.pages`) the raw image with its index."""
    name, shot = split(path)
    try:
        str(name).encode("utf-8")
    except UnicodeEncodeError:
        with name.open("rb") as file:
            return rawpy.imread(file)
    if name == path:
        return rawpy.imread(str(path))
    raw = rawpy.RawPy()
    raw.set_unpack_params(shot_select=shot)  # before the file is opened: LibRaw then chooses among images of one size
    raw.open_file(str(name))
    return raw


def _version() -> str:
    return ".".join(str(v) for v in rawpy.libraw_version)


def _reason(error: Exception, printed: str) -> str:
    """Combine rawpy's exception with LibRaw's messages."""
    text = error.args[0] if error.args else error
    raised = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{raised}; LibRaw: {printed}" if printed else raised
