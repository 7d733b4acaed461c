"""A folder of pictures, held in memory as bytes, and patches out of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.files.picture import read_picture
from burstsr.ground.errors import InputFileError

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_DIV2K = ("DIV2K_train_HR", "DIV2K_valid_HR")
_FLAT = 0.01  # mean absolute step between neighbours below which a patch teaches nothing
_TRIES = 4


class Folder:
    """Pictures of folders, to draw patches from.

    places: pictures, or folders with sub-folders; of a DIV2K tree only its high-resolution pictures. least_px: shorter side that a picture needs.
    Raises InputFileError where there is no usable picture.
    """

    def __init__(self, places: Sequence[str | Path], least_px: int = 64) -> None:
        self.paths: list[Path] = []
        self.pictures: list[NDArray[np.uint8]] = []
        for path in _paths(places):
            try:
                rgb, _ = read_picture(path)
            except InputFileError as error:
                log.warning("left out: %s", error)
                continue
            if min(rgb.shape[:2]) >= least_px:
                self.paths.append(path)
                self.pictures.append(np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8))
        if not self.pictures:
            raise InputFileError(f"{', '.join(map(str, places))}: no picture of at least {least_px} x {least_px} pixels; allowed is {', '.join(SUFFIXES)}")
        self._weigh()

    def _weigh(self) -> None:
        areas = np.array([picture.shape[0] * picture.shape[1] for picture in self.pictures], float)
        self._share = np.sqrt(areas) / np.sqrt(areas).sum()  # large pictures more often, but not in proportion: they repeat themselves

    def split_off(self, every: int) -> Folder:
        """Every so many-th picture, taken out of this folder. Raises InputFileError where none would be left."""
        if len(self.pictures) < 2:
            raise InputFileError(f"{self.paths[0]}: one picture alone cannot be divided into training and validation; name pictures with --validation")
        other = copy(self)
        other.paths, other.pictures = self.paths[every - 1 :: every] or self.paths[-1:], self.pictures[every - 1 :: every] or self.pictures[-1:]
        kept = [i for i, path in enumerate(self.paths) if path not in other.paths]
        self.paths, self.pictures = [self.paths[i] for i in kept], [self.pictures[i] for i in kept]
        self._weigh()
        other._weigh()
        return other

    def patch(self, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """(side, side, 3): a random place of a random picture, flipped and turned at random. Flat places are drawn again, a few times."""
        for _ in range(_TRIES):
            picture = self.pictures[rng.choice(len(self.pictures), p=self._share)]
            height, width = picture.shape[:2]
            if min(height, width) < side:
                grown = max(side / height, side / width)
                picture = cv2.resize(picture, (int(np.ceil(width * grown)), int(np.ceil(height * grown))), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
                height, width = picture.shape[:2]
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            found = picture[y : y + side, x : x + side]
            if np.abs(np.diff(found[..., 1].astype(np.int16), axis=1)).mean() > 255 * _FLAT:
                break
        return np.ascontiguousarray(np.rot90(found if rng.integers(2) else found[:, ::-1], int(rng.integers(4))))


def _paths(places: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for place in map(Path, places):
        if place.is_file():
            found.append(place)
            continue
        if not place.exists():
            raise InputFileError(f"{place}: no such file or folder")
        div2k = [place / name for name in _DIV2K if (place / name).is_dir()]
        for root in div2k or [place]:
            found += sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    return found
