"""A folder of images, held in memory, and patches from it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import InputFileError
from burstsr.io.images import read_image

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_DIV2K = ("DIV2K_train_HR", "DIV2K_valid_HR")
_FLAT = 0.01  # mean absolute difference of neighbours below which a patch is too flat for training
_TRIES = 4


class PatchDataset:
    """Images of folders, to draw patches from.

    places: images, or folders with sub-folders; of a DIV2K tree only its high-resolution images. least_px: minimum length of an image's shorter side.
    Raises InputFileError where there is no usable image.
    """

    def __init__(self, places: Sequence[str | Path], least_px: int = 64) -> None:
        self.paths: list[Path] = []
        self.images: list[NDArray[np.uint8]] = []
        for path in _paths(places):
            try:
                rgb, _ = read_image(path)
            except InputFileError as error:
                log.warning("ignored: %s", error)
                continue
            if min(rgb.shape[:2]) >= least_px:
                self.paths.append(path)
                self.images.append(np.clip(np.rint(rgb * 255), 0, 255).astype(np.uint8))
        if not self.images:
            raise InputFileError(f"{', '.join(map(str, places))}: no image of at least {least_px} x {least_px} pixels (types: {', '.join(SUFFIXES)})")
        self._weigh()

    def _weigh(self) -> None:
        areas = np.array([image.shape[0] * image.shape[1] for image in self.images], float)
        self._share = np.sqrt(areas) / np.sqrt(areas).sum()  # large images more often, but less than in proportion: they are more redundant

    def split_off(self, every: int) -> PatchDataset:
        """Remove every n-th image from this dataset and return them. Raises InputFileError where none would be left."""
        if len(self.images) < 2:
            raise InputFileError(f"{self.paths[0]}: a single image cannot be split into training and validation; give validation images with --validation")
        other = copy(self)
        other.paths, other.images = self.paths[every - 1 :: every] or self.paths[-1:], self.images[every - 1 :: every] or self.images[-1:]
        kept = [i for i, path in enumerate(self.paths) if path not in other.paths]
        self.paths, self.images = [self.paths[i] for i in kept], [self.images[i] for i in kept]
        self._weigh()
        other._weigh()
        return other

    def patch(self, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw a random (side, side, 3) patch of a random image, randomly flipped and rotated. Flat patches are drawn again, a few times."""
        for _ in range(_TRIES):
            image = self.images[rng.choice(len(self.images), p=self._share)]
            height, width = image.shape[:2]
            if min(height, width) < side:
                grown = max(side / height, side / width)
                image = cv2.resize(image, (int(np.ceil(width * grown)), int(np.ceil(height * grown))), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
                height, width = image.shape[:2]
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            found = image[y : y + side, x : x + side]
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
