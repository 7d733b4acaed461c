"""Display images inside a DNG: a thumbnail for any TIFF reader, and a larger JPEG (DNG 1.4, chapters 2 and 4)."""

from __future__ import annotations

from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr import __version__
from burstsr.core import large_arrays
from burstsr.io import tags as t
from burstsr.io.tiff import LONG, RATIONAL, SHORT, Directory, Image, integers, rationals, text

PREVIEW_PX, _THUMBNAIL_PX = 2048, 256  # along the longer side
_QUALITY = 88
_NONE, _JPEG = 1, 7
_REDUCED = 1  # NewSubfileType
_SRGB = 2  # PreviewColorSpace


def reduced(pixels: NDArray[Any], longest: int) -> NDArray[Any]:
    """Average (H, W, 3) pixels down until the longer side has at most `longest`; unchanged where it does already."""
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if pixels.dtype.kind != "f":
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    return _averaged(pixels, size)


def _averaged(image: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image averaged down to `size` (w, h), row by row: it may be larger than memory."""
    width, height = size
    step = len(image) / height
    out = np.zeros((height, width, image.shape[2]), np.float32)
    for rows in large_arrays.strips(image):
        narrow = cv2.resize(image[rows], (width, rows.stop - rows.start), interpolation=cv2.INTER_AREA).reshape(-1, width, image.shape[2])
        for y, row in enumerate(narrow, rows.start):
            first, last = int(y / step), min(int((y + 1) / step), height - 1)
            for o in range(first, last + 1):
                share = min(y + 1, (o + 1) * step) - max(y, o * step)
                if share > 0:
                    out[o] += row * np.float32(share / step)
    return out


def thumbnail_image(preview: NDArray[np.uint8], camera: Directory) -> Image:
    """Return the first directory of a file: camera tags and a small uncompressed RGB image."""
    small = np.ascontiguousarray(reduced(preview, _THUMBNAIL_PX))
    height, width = small.shape[:2]
    directory = {
        **camera,
        **_layout(height, width, _NONE, t.RGB_PHOTOMETRIC),
        t.ROWS_PER_STRIP: integers(LONG, height),
    }
    return Image(directory, [small.tobytes()])


def preview_image(preview: NDArray[np.uint8]) -> Image:
    """Return a sub-directory with `preview` as a JPEG."""
    height, width = preview.shape[:2]
    directory = {
        **_layout(height, width, _JPEG, t.YCBCR_PHOTOMETRIC),
        t.ROWS_PER_STRIP: integers(LONG, height),
        530: integers(SHORT, 2, 2),  # YCbCrSubSampling
        531: integers(SHORT, 1),  # YCbCrPositioning: centred
        532: rationals([0, 255, 128, 255, 128, 255], RATIONAL),  # ReferenceBlackWhite
        t.PREVIEW_PROGRAM: text("burstsr"),
        t.PREVIEW_VERSION: text(__version__),
        t.PREVIEW_COLOURS: integers(LONG, _SRGB),
    }
    return Image(directory, [bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(preview), level=_QUALITY, subsampling="420"))])


def _layout(height: int, width: int, compression: int, photometric: int) -> Directory:
    return {
        t.SUBFILE: integers(LONG, _REDUCED),
        t.WIDTH: integers(LONG, width),
        t.HEIGHT: integers(LONG, height),
        t.BITS: integers(SHORT, 8, 8, 8),
        t.COMPRESSION: integers(SHORT, compression),
        t.PHOTOMETRIC: integers(SHORT, photometric),
        t.SAMPLES: integers(SHORT, 3),
        t.PLANAR: integers(SHORT, 1),
    }
