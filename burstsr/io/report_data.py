"""What the page of a burst shows beyond its record, `NAME.report.npz`: the reference frame alone, robustness maps and motion fields."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError

VERSION = 1
_FINE = 90  # quality
_LARGEST_PERIOD = 16
_MOST_BYTES = 1 << 28  # of all arrays of a file: one that claims more is not ours


@dataclass(frozen=True, eq=False)
class ReportData:
    """reference: the reference frame demosaiced, upscaled and rendered like the preview, upright, as the bytes of a JPEG.

    shape: (H, W) of the raw frames. period: of the CFA, raw pixels. orientation: EXIF code by which the maps, which are stored as the sensor has them, become
    upright. robustness: (h, w) uint8, mean over the registered frames other than the reference, 255 = fully used. frame_robustness: (N, h', w') uint8, of each.
    registered: (N,) bool. grid_y, grid_x: raw positions at which flow is given. flow: (N, grid_y, grid_x, 2) float32, (dy, dx) in raw pixels; NaN for frames
    that were not registered.
    """

    reference: bytes
    shape: tuple[int, int]
    period: int
    orientation: int
    robustness: NDArray[np.uint8]
    frame_robustness: NDArray[np.uint8]
    registered: NDArray[np.bool_]
    grid_y: NDArray[np.float32]
    grid_x: NDArray[np.float32]
    flow: NDArray[np.float32]


def write_report_data(path: Path, data: ReportData) -> None:
    """Write the file. Raises OSError."""
    arrays: dict[str, Any] = {name: value for name, value in vars(data).items() if isinstance(value, np.ndarray)}
    numbers = np.array([VERSION, *data.shape, data.period, data.orientation], np.int64)
    with path.open("wb") as file:
        np.savez_compressed(file, numbers=numbers, reference=np.frombuffer(data.reference, np.uint8), **arrays)


def read_report_data(path: Path) -> ReportData:
    """Read the file. Raises InputFileError where it is missing, damaged, or of another version."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MOST_BYTES:
                raise ValueError("too large")
        with np.load(path, allow_pickle=False) as stored:
            version, height, width, period, orientation = (int(n) for n in stored["numbers"])
            if version != VERSION:
                raise ValueError(f"version {version}; must be {VERSION}")
            arrays = {name: stored[name] for name in ("robustness", "frame_robustness", "registered", "grid_y", "grid_x", "flow")}
            data = ReportData(stored["reference"].tobytes(), (height, width), period, orientation, **arrays)
        _check(data)
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile, NotImplementedError) as error:
        raise InputFileError(f"{path}: not readable as data of a report ({error})") from error
    return data


def _check(data: ReportData) -> None:
    """Raise ValueError for arrays that do not belong together."""
    count = len(data.registered)
    fits = (
        data.robustness.ndim == 2
        and data.frame_robustness.ndim == 3
        and data.flow.shape == (count, len(data.grid_y), len(data.grid_x), 2)
        and len(data.frame_robustness) == count
        and data.robustness.dtype == data.frame_robustness.dtype == np.uint8
        and data.flow.dtype == np.float32
        and min(data.shape) > 0
        and 0 < data.period <= _LARGEST_PERIOD
        and 1 <= data.orientation <= 8
    )
    if not fits:
        raise ValueError("arrays that do not fit each other")


def jpeg_bytes(srgb: NDArray[np.uint8], quality: int) -> bytes:
    """Encode an (H, W, 3) uint8 image as a JPEG without metadata. From quality 90 on colour has full resolution."""
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(srgb), level=quality, subsampling="444" if quality >= _FINE else "420"))


def jpeg_shape(data: bytes) -> tuple[int, int]:
    """Return (H, W) of a JPEG by its frame header, without decoding it. Raises ValueError where it has none."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    raise ValueError("not a JPEG")


def jpeg_pixels(data: bytes, shape: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG to (H, W, 3) uint8. shape: what (H, W) must be, in either order. Raises ValueError for anything else, before it is decoded."""
    height, width = jpeg_shape(data)
    if shape is not None and sorted((height, width)) != sorted(shape):
        raise ValueError(f"{width} x {height} pixels; the record says {shape[1]} x {shape[0]}")
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data, colorspace=None, outcolorspace="RGB"))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels of shape {pixels.shape}")
    return pixels
