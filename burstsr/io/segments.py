"""Strips and tiles, encoded on all cores and returned in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.parallel import over_rows, thread_count
from burstsr.io.ljpeg_encode import encoded

_STRIP_BYTES = 1 << 19
_PIECES_PER_THREAD = 4


def in_order(code: Callable[[int], bytes], count: int) -> Iterator[bytes]:
    """Yield `code(0)` to `code(count - 1)`, computed on all cores, a few at a time to limit memory."""
    batch = _PIECES_PER_THREAD * thread_count()
    for start in range(0, count, batch):
        done = [b""] * (min(start + batch, count) - start)

        def some(first: int, last: int, start: int = start, done: list[bytes] = done) -> None:
            for i in range(first, last):
                done[i] = code(start + i)

        over_rows(some, len(done))
        yield from done


def rows_per_strip(pixels: NDArray[Any]) -> int:
    """Return the number of rows of a strip of (H, W, C) pixels of half a megabyte."""
    return max(1, _STRIP_BYTES // int(pixels[0].nbytes))


def lzw_strips(pixels: NDArray[Any]) -> Iterator[bytes]:
    """Encode strips of (H, W, C) unsigned or float32 pixels as LZW after horizontal differences (TIFF predictor 2) or, for floats, predictor 3."""
    rows = rows_per_strip(pixels)

    def strip(number: int) -> bytes:
        part = np.ascontiguousarray(pixels[number * rows : (number + 1) * rows])
        flat = imagecodecs.floatpred_encode(part, axis=-2) if part.dtype.kind == "f" else imagecodecs.delta_encode(part, axis=-2)
        return bytes(imagecodecs.lzw_encode(np.ascontiguousarray(flat).tobytes()))

    return in_order(strip, -(-pixels.shape[0] // rows))


def linear_tiles(rgb: NDArray[np.float32], tile: tuple[int, int], top: float = 1.0) -> Iterator[bytes]:
    """Encode (H, W, C) values, clipped to 0 .. top and mapped to 16 bits, as lossless JPEG tiles, row by row; edge tiles are padded at least cost."""
    unit = np.float32(top)
    columns = -(-rgb.shape[1] // tile[1])

    def one(number: int) -> bytes:
        y, x = number // columns * tile[0], number % columns * tile[1]
        part = rgb[y : y + tile[0], x : x + tile[1]]
        whole = np.rint(np.clip(part if top == 1 else part / unit, 0, 1) * np.float32(65535)).astype(np.uint16)
        full = _filled(whole, tile, "edge")
        full[part.shape[0] :] = full[part.shape[0] - 1, 0]  # the first column is predicted from above, the others from the left: no residuals
        return encoded(full, 16)

    return in_order(one, -(-rgb.shape[0] // tile[0]) * columns)


def cfa_tiles(mosaic: NDArray[np.uint16], tile: tuple[int, int], bits: int) -> Iterator[bytes]:
    """Encode an (H, W) mosaic as lossless JPEG tiles of two components of half the width, so that the predictor uses sites of one colour."""
    columns = -(-mosaic.shape[1] // tile[1])

    def one(number: int) -> bytes:
        y, x = number // columns * tile[0], number % columns * tile[1]
        full = _filled(mosaic[y : y + tile[0], x : x + tile[1]], tile, "reflect")  # reflection keeps the CFA's order
        return encoded(full.reshape(tile[0], tile[1] // 2, 2), bits)

    return in_order(one, -(-mosaic.shape[0] // tile[0]) * columns)


def _filled(part: NDArray[np.uint16], tile: tuple[int, int], how: Any) -> NDArray[np.uint16]:  # noqa: ANN401  one of many literals
    missing = [(0, tile[0] - part.shape[0]), (0, tile[1] - part.shape[1]), (0, 0)][: part.ndim]
    return np.ascontiguousarray(np.pad(part, missing, mode=how) if any(map(any, missing)) else part)
