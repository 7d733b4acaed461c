"""A raw frame as the four planes that the raw-to-RGB model takes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burstsr.files.raw import read_frame
from burstsr.ground.burst import Frame
from burstsr.ground.sensor import red_site, samples


class Packed(NamedTuple):
    """planes: (4, h, w) float32 R, G of the red row, G of the blue row, B; linear, white-balanced so that green is as it was. top, left: rows and columns of
    the mosaic before the first red pixel, 0 or 1, which the planes leave out.
    """

    planes: NDArray[np.float32]
    top: int
    left: int


def pack(frame: Frame) -> Packed:
    """The planes of a frame; what is left of an odd row or column at the end is dropped."""
    top, left = divmod(red_site(frame), 2)
    values = samples(frame.mosaic, frame.info.levels)[top:, left:]
    values = values[: values.shape[0] // 2 * 2, : values.shape[1] // 2 * 2]
    gains = (frame.info.colour.as_shot_neutral[1] / frame.info.colour.as_shot_neutral).astype(np.float32)
    planes = np.stack((values[0::2, 0::2] * gains[0], values[0::2, 1::2], values[1::2, 0::2], values[1::2, 1::2] * gains[2]))
    return Packed(planes, top, left)


def packed(path: str | Path) -> Packed:
    """The planes of a raw file. Raises InputFileError."""
    return pack(read_frame(path))
