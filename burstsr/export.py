"""The merged picture as a DNG with its previews: the one file that needs both what `finish` makes and what `files` writes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from burstsr.files import dng
from burstsr.files.dng_previews import PREVIEW_PX, reduced
from burstsr.finish import finish_uint8
from burstsr.ground.burst import Picture
from burstsr.ground.checks import check_picture
from burstsr.settings import FinishSettings


def write_dng(path: str | Path, picture: Picture, settings: FinishSettings | None = None) -> None:
    """`picture` as a linear DNG (`files.dng.write_dng`), with an embedded preview and thumbnail finished with `settings`.

    Raises SettingsError for a picture that is not finite RGB, OutputError.
    """
    check_picture(picture)
    dng.write_dng(path, picture, preview(picture, settings or FinishSettings()))


def preview(picture: Picture, settings: FinishSettings) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB of the picture's crop, not oriented, at most PREVIEW_PX along its longer side."""
    top, left, bottom, right = picture.crop
    shown = picture.rgb[round(top) : math.ceil(bottom), round(left) : math.ceil(right)]
    small = np.asarray(reduced(shown, PREVIEW_PX), np.float32)
    return finish_uint8(replace(picture, rgb=small, reference=replace(picture.reference, orientation=1)), settings)
