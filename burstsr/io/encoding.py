"""Pixels to the bytes of a PNG or JPEG, and atomic writing of what encoders make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import BurstsrError, OutputError
from burstsr.io.atomic import atomic
from burstsr.io.jpeg_strips import JPEG_LIMIT

_PNG_LEVEL = 4


def png_bytes(pixels: NDArray[Any]) -> bytes:
    """Encode (H, W, C) uint8 or uint16 pixels; C: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha."""
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), level=_PNG_LEVEL))


def jpeg_bytes(path: str | Path, pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode (H, W, C) pixels for the file `path`, with full colour resolution; alpha is dropped. Raises OutputError for what the format cannot hold."""
    if max(pixels.shape[:2]) > JPEG_LIMIT:
        raise OutputError(f"{path}: {pixels.shape[1]} x {pixels.shape[0]} pixels; JPEG is limited to {JPEG_LIMIT} per side; use png or tiff")
    shown = pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
    # chroma subsampling would undo what the merge recovered
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(shown), level=quality, subsampling="444"))


@contextmanager
def writing(path: str | Path) -> Iterator[Path]:
    """`atomic`, with errors of encoders as OutputError."""
    with atomic(path) as temporary:
        try:
            yield temporary
        except BurstsrError:
            raise
        except (ValueError, RuntimeError) as error:
            raise OutputError(f"{path}: cannot be encoded ({error})") from error
