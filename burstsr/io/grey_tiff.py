"""Monochrome frames in TIFF files of 16 bits: one a file, or one a page."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io.dng_info import even_shape
from burstsr.io.foreign import foreign_reader
from burstsr.io.image_size import check_page
from burstsr.io.pages import page_path, split
from burstsr.io.plausible import shot_values
from burstsr.io.tags import FileTags, read_tags

SUFFIXES = (".tif", ".tiff")
_UNSIGNED = 1  # SampleFormat
_MOST = 65535.0
_MAX_SAMPLE_VALUE = 281


def is_grey_tiff(path: Path) -> bool:
    """Whether a file is a TIFF, no DNG and not of this program, whose first page is grey with 16 bits. Never raises."""
    file, _ = split(path)
    if file.suffix.lower() not in SUFFIXES:
        return False
    try:
        tags = read_tags(file)
        return _is_grey(tags) and not tags.shot_text(t.SOFTWARE).startswith("burstsr ")
    except (OSError, ValueError, IndexError, OverflowError, struct.error):
        return False


def pages_of(path: Path) -> list[Path]:
    """Return the paths of a file's frames: the file itself, or its pages of the first one's size and type if there are several. Raises InputFileError."""
    if not is_grey_tiff(path) or split(path)[0] != path:
        return [path]
    kinds = _read(path, path, lambda opened: [_kind(page) for page in opened.pages])
    alike = [index for index, kind in enumerate(kinds) if kind == kinds[0]]
    return [page_path(path, index) for index in alike] if len(alike) > 1 else [path]


def open_grey_tiff(path: Path) -> tuple[FrameInfo, Callable[[], NDArray[np.uint16]]]:
    """Read the description of a frame, black level 0 and white that of MaxSampleValue, else 65535, and a function that decodes it. Raises InputFileError."""
    file, index = split(path)
    with foreign_reader(path, "not a readable TIFF"):
        tags = read_tags(file)
    height, width = _read(file, path, lambda opened: _size(opened.pages[index]))
    most = tags.numbers(_MAX_SAMPLE_VALUE)
    info = FrameInfo(
        path=path,
        shape=even_shape(height, width, path),
        cfa=Cfa.parse("mono"),
        levels=Levels(np.zeros((2, 2)), float(most[0]) if most and 1 <= most[0] <= _MOST else _MOST),
        colour=Colour(np.ones(1)),
        camera=t.camera_name(tags),
        **shot_values(path, tags),
        time=t.capture_time(tags) if path == file else None,  # that of the file, not of the page
    )
    return info, partial(_decoded, info)


def _decoded(info: FrameInfo) -> NDArray[np.uint16]:
    file, index = split(info.path)
    pixels = np.asarray(_read(file, info.path, lambda opened: check_page(opened.pages[index], file).asarray()))
    if pixels.dtype != np.uint16 or pixels.ndim != 2:
        raise InputFileError(f"{info.path}: pixels of shape {pixels.shape} and type {pixels.dtype}; must be grey with 16 bits")
    return np.array(pixels[: info.shape[0], : info.shape[1]], order="C")


def _read(file: Path, path: Path, read: Callable[[tifffile.TiffFile], Any]) -> Any:  # noqa: ANN401
    """Return what `read` reads from a TIFF. path: of the frame, for the error."""
    with foreign_reader(path, "not a readable TIFF"), tifffile.TiffFile(file) as opened:
        return read(opened)


def _size(page: Any) -> tuple[int, int]:  # noqa: ANN401
    height, width = page.shape
    return int(height), int(width)


def _kind(page: Any) -> tuple[object, ...]:  # noqa: ANN401
    return page.shape, str(page.dtype), page.samplesperpixel


def _is_grey(tags: FileTags) -> bool:
    values = [tags.numbers(code)[:1] for code in (t.PHOTOMETRIC, t.BITS, t.SAMPLES, t.SAMPLE_FORMAT)]
    return not tags.is_dng and values[0] == (t.BLACK_IS_ZERO,) and values[1] == (16,) and values[2] in ((), (1,)) and values[3] in ((), (_UNSIGNED,))
