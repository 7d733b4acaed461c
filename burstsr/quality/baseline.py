"""Single-frame baseline, which every burst must beat."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import rawpy
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io.libraw_file import opened_by_libraw

NAME = "one frame, DHT + Lanczos"
_GAMMA = 2.2


def single_frame(path: str | Path, neutral: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    """Develop one raw file to (round(s H), round(s W), 3) float32 linear camera RGB: LibRaw's DHT demosaicing, white-balanced, upscaled by Lanczos (8 x 8).

    neutral: (3,) camera RGB of a neutral object. Upscaled in a gamma of 1/2.2, where ringing at bright edges is smaller; the same output geometry as
    the result of a burst. Not clipped; not oriented. Raises InputFileError.
    """
    curved = np.power(developed(path, neutral), np.float32(1 / _GAMMA))
    large = np.asarray(cv2.resize(curved, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4))
    return np.asarray(np.maximum(large, 0) ** np.float32(_GAMMA) * (neutral / neutral.min()).astype(np.float32), np.float32)


def developed(path: str | Path, neutral: NDArray[np.float64], demosaicing: str = "DHT") -> NDArray[np.float32]:
    """Develop one raw file with LibRaw to (H, W, 3) float32, linear, 0 .. 1, white-balanced by gains of at most 1. demosaicing: a name of LibRaw's, "DHT" or
    "AHD". Raises InputFileError.
    """
    balance = neutral.max() / neutral
    try:
        with opened_by_libraw(Path(path)) as raw:
            rgb = raw.postprocess(
                demosaic_algorithm=rawpy.DemosaicAlgorithm[demosaicing],
                user_wb=[balance[0], balance[1], balance[2], balance[1]],
                output_color=rawpy.ColorSpace.raw,
                highlight_mode=rawpy.HighlightMode.Ignore,  # multipliers at most 1: nothing is clipped
                gamma=(1, 1),
                no_auto_bright=True,
                adjust_maximum_thr=0,
                output_bps=16,
                user_flip=0,
            )
    except (rawpy.LibRawError, OSError) as error:
        raise InputFileError(f"{path}: LibRaw cannot process it ({error})") from error
    return np.asarray(rgb, np.float32) / np.float32(65535)
