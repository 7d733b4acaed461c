"""Records of results as the page needs them: every value is checked, since a record may have been damaged or edited."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 2000  # characters of a text
_LARGEST_SCALE = 16.0


@dataclass(frozen=True)
class FrameFacts:
    """A frame. motion: (dy, dx) raw pixels; error: of it, None where it is unknown. why: "" where the frame was used."""

    file: str
    reference: bool
    used: bool
    why: str
    motion: tuple[float, float] | None
    error: float | None
    rotation_deg: float | None
    robustness: float
    blur_px: float | None
    weight: float
    exposure_ratio: float | None


@dataclass(frozen=True)
class Facts:
    """A record. settings, asked: dotted name -> value, as used and as requested. shape: (H', W') of the result. noise, versions, known: name -> text."""

    burst: str
    mode: str
    scale: float
    shape: tuple[int, int]
    frames: tuple[FrameFacts, ...]
    fingerprints: tuple[str, ...]
    numbers: Mapping[str, float]
    advice: str
    damaged: tuple[str, ...]
    settings: Mapping[str, str]
    asked: Mapping[str, str]
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    provenance: str
    noise_source: str

    @property
    def used(self) -> int:
        """Return the number of frames that contribute."""
        return sum(frame.used for frame in self.frames)


_NUMBERS = ("coverage", "subpixel_phases", "sampling_uniformity", "expected_gain_db", "reference_alone", "reference_mended", "defects_repaired")


def facts_of(record: Mapping[str, Any]) -> Facts:
    """Return the facts of a record, with its current keys. Raises ValueError for one that is damaged."""
    try:
        settings = dotted(record.get("settings") or {})
        frames = tuple(_frame(frame) for frame in _list(record["frames"]))
        shape = [int(_number(n)) for n in _list(record["shape"])]
        numbers = {name: _number(record[name]) for name in _NUMBERS if record.get(name) is not None}
        provenance, noise = record.get("provenance") or {}, record.get("noise") or {}
        scale = float(settings["scale"])
        if not 0 < scale <= _LARGEST_SCALE:
            raise ValueError(f"scale {scale:g}")
        if not frames or len(shape) != 2 or min(shape) < 1:
            raise ValueError("no frames, or no shape")
        return Facts(
            _text(record["burst"]),
            settings.get("mode", "?"),
            scale,
            (shape[0], shape[1]),
            frames,
            tuple(map(_text, _list(record["fingerprints"]))),
            numbers,
            _text(record.get("advice") or ""),
            tuple(map(_text, _list(record.get("damaged_frames") or []))),
            settings,
            dotted(record.get("settings_asked") or {}),
            {_text(name): _number(value) for name, value in dict(record.get("seconds") or {}).items()},
            {_text(name): _text(value) for name, value in dict(record.get("versions") or {}).items()},
            _text(provenance.get("how") or ""),
            _text(noise.get("source") or ""),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _frame(frame: Mapping[str, Any]) -> FrameFacts:
    motion = frame.get("motion_px")
    pair = None if motion is None else [_number(n) for n in _list(motion)]
    if pair is not None and len(pair) != 2:
        raise ValueError("a motion that is no pair")
    used = bool(frame.get("used", True))
    return FrameFacts(
        _text(frame["file"]),
        bool(frame.get("reference")),
        used,
        "" if used else _text(frame.get("unused_because") or "not used"),
        None if pair is None else (pair[0], pair[1]),
        _optional(frame.get("motion_error_px")),
        _optional(frame.get("rotation_deg")),
        _number(frame.get("robustness", 0.0)),
        _optional(frame.get("blur_px")),
        _number(frame.get("weight", 1.0)),
        _optional((frame.get("exposure") or {}).get("ratio")),
    )


def dotted(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return settings by dotted names, as text."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and not prefix:
            found |= dotted(value, f"{name}.")
        else:
            found[_text(prefix + name)] = f"{value:.6g}" if isinstance(value, float) else "auto" if value is None else _text(str(value))
    return found


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:40]!r} is no finite number")
    return float(value)


def _optional(value: object) -> float | None:
    return None if value is None else _number(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{str(value)[:40]!r} is no text")
    return value[:_LONGEST]


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{str(value)[:40]!r} is no list")
    return value
