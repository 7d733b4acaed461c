"""Images as tiles at several sizes, so that a browser loads only what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.io.report_data import jpeg_bytes

TILE_PX = 1024
_FULL_QUALITY, _QUALITY, _THUMBNAIL_QUALITY = 92, 85, 78


def write_pyramid(folder: Path, image: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Write an (H, W, 3) image as tiles `LEVEL-ROW-COLUMN.jpg` in `folder`, which is made.

    Every level has half the size of the one before; the last fits a tile. Returns width, height, columns and rows of each level.
    """
    folder.mkdir(parents=True)
    levels: list[dict[str, Any]] = []
    while True:
        height, width = image.shape[:2]
        rows, columns = -(-height // TILE_PX), -(-width // TILE_PX)
        for row in range(rows):
            for column in range(columns):
                tile = image[row * TILE_PX : (row + 1) * TILE_PX, column * TILE_PX : (column + 1) * TILE_PX]
                (folder / f"{len(levels)}-{row}-{column}.jpg").write_bytes(jpeg_bytes(tile, _QUALITY if levels else _FULL_QUALITY))
        levels.append({"w": width, "h": height, "columns": columns, "rows": rows})
        if rows == columns == 1:
            return levels
        image = shrunk(image, (-(-height // 2), -(-width // 2)))


def thumbnail(image: NDArray[np.uint8], longest: int) -> bytes:
    """Return a JPEG of the image, its longer side at most `longest`."""
    factor = min(longest / max(image.shape[:2]), 1.0)
    return jpeg_bytes(shrunk(image, (max(round(image.shape[0] * factor), 1), max(round(image.shape[1] * factor), 1))), _THUMBNAIL_QUALITY)


def shrunk(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the image at a smaller size, averaged over areas."""
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
