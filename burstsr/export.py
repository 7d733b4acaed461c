"""Writing of the merged image as a DNG with previews, and rendering for display."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.core import large_arrays
from burstsr.core.burst import Colour, FrameInfo, Levels
from burstsr.core.cfa import Cfa
from burstsr.core.checks import check_result
from burstsr.core.result import Result
from burstsr.finish import finish, finish_uint8
from burstsr.io import dng
from burstsr.io.dng_previews import PREVIEW_PX, reduced
from burstsr.settings import FinishSettings

_NO_LEVELS = Levels(np.zeros((2, 2)), 1.0)  # an array has no raw data


def write_dng(path: str | Path, image: Result, settings: FinishSettings | None = None) -> None:
    """Write a result as a linear DNG (`io.dng.write_dng`), with an embedded preview and thumbnail rendered with `settings`.

    Raises SettingsError for an image that is not finite RGB, OutputError.
    """
    check_result(image)
    dng.write_dng(path, image, preview(as_rgb(image), settings or FinishSettings()))


def render(image: Result | NDArray[np.floating], settings: FinishSettings | None = None, *, colour: Colour | None = None) -> NDArray[np.float32]:
    """Render for display: (H', W', 3) float32 sRGB in 0 .. 1, upright by the orientation of a Result's reference; grey if that is monochrome.

    image: a Result, or (H', W', 3) linear camera RGB, 1.0 = saturation. colour: of the camera, for an array; None: linear sRGB.
    settings: tone, sharpening and exposure; the defaults are those of the command line. Raises SettingsError for an image that is not finite RGB.
    """
    if not isinstance(image, Result):
        rgb = np.ascontiguousarray(image, np.float32)
        info = FrameInfo(Path("array"), (rgb.shape[0], rgb.shape[1]), Cfa.parse("RGGB"), _NO_LEVELS, colour or Colour(np.ones(3)))
        image = Result(rgb, info, 1.0)
    check_result(image)
    return finish(as_rgb(image), settings or FinishSettings())


def as_rgb(image: Result) -> Result:
    """Return the result as it is, or a monochrome one as neutral linear sRGB."""
    if not image.reference.cfa.is_mono:
        return image
    rgb = large_arrays.copied(np.broadcast_to(image.image, (*image.image.shape[:2], 3)))
    return replace(image, image=rgb, reference=replace(image.reference, cfa=Cfa.parse("RGGB"), colour=Colour(np.ones(3))))


def preview(image: Result, settings: FinishSettings) -> NDArray[np.uint8]:
    """Render (h, w, 3) uint8 sRGB of the image's crop, not oriented, at most PREVIEW_PX along its longer side."""
    top, left, bottom, right = image.crop
    shown = image.image[round(top) : math.ceil(bottom), round(left) : math.ceil(right)]
    small = np.asarray(reduced(shown, PREVIEW_PX), np.float32)
    return finish_uint8(replace(image, image=small, reference=replace(image.reference, orientation=1)), settings)
