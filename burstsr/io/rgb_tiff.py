"""TIFF images for other programs: LZW, the only effective compression that baseline readers and the Exif standard support."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io import tags as t
from burstsr.io import tiff
from burstsr.io.image_size import check_page
from burstsr.io.segments import lzw_strips, rows_per_strip
from burstsr.io.tiff import LONG, SHORT, Directory, Image, integers

_LZW = 5
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3
_GREY, _RGB = 1, 2  # photometric interpretations
_UNASSOCIATED_ALPHA = 2
_LARGEST_GROWTH = 1.5  # of noise, by LZW: its codes of up to 12 bits may stand for a byte each


def page_pixels(page: Any, file: Path) -> NDArray[Any]:  # noqa: ANN401  tifffile's page
    """Return the samples of a page that tifffile has opened, (H, W) or (H, W, C). Raises InputFileError unless it is grey with black at 0, or RGB."""
    if page.photometric not in (_GREY, _RGB):
        raise InputFileError(f"{file}: TIFF of type {page.photometric!r}; must be grey or RGB")
    pixels = np.asarray(check_page(page, file).asarray())
    separate = page.samplesperpixel > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    return np.moveaxis(pixels, 0, -1) if separate else pixels


def write_image(path: Path, pixels: NDArray[Any], tags: Directory, inner: Mapping[int, Directory] | None = None) -> None:
    """(H, W, C) uint8, uint16 or float32 to the new file `path`, with tags of its first, Exif and GPS directories; BigTIFF where 4 GB may not do.

    C: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. The same pixels and tags give the same bytes.
    """
    height, width, channels = pixels.shape
    colours = 3 if channels >= 3 else 1
    is_float = pixels.dtype.kind == "f"
    directory = {
        **tags,
        t.SUBFILE: integers(LONG, 0),
        t.WIDTH: integers(LONG, width),
        t.HEIGHT: integers(LONG, height),
        t.BITS: integers(SHORT, *[8 * pixels.dtype.itemsize] * channels),
        t.COMPRESSION: integers(SHORT, _LZW),
        t.PHOTOMETRIC: integers(SHORT, _RGB if colours == 3 else _GREY),
        t.SAMPLES: integers(SHORT, channels),
        t.ROWS_PER_STRIP: integers(LONG, min(rows_per_strip(pixels), height)),
        t.PLANAR: integers(SHORT, 1),
        t.PREDICTOR: integers(SHORT, _FLOAT_DIFFERENCES if is_float else _DIFFERENCES),
    }
    if channels > colours:
        directory[338] = integers(SHORT, _UNASSOCIATED_ALPHA)
    if is_float:
        directory[t.SAMPLE_FORMAT] = integers(SHORT, *[3] * channels)
    with open(path, "wb") as file:
        tiff.write_tiff(file, Image(directory, lzw_strips(pixels)), inner or {}, big=_LARGEST_GROWTH * pixels.nbytes > tiff.CLASSIC_LIMIT)
