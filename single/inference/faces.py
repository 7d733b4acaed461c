"""Faces drawn by a network of faces (GFPGAN, RestoreFormer) into stated crops of an upscaled image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.errors import RangeError, SettingsError
from single.classical import resize

Floats = NDArray[np.float32]
Face = tuple[int, int, int, int]  # first row and column, height and width, pixels of the input
_LEAST_PX = 16
_SOFT = 0.125  # of the crop's shorter side: width of the border in which a face fades into the image


def check_face(face: Face) -> None:
    """Raise RangeError for a crop that is invalid for any image, or too small."""
    if len(face) != 4 or min(face[:2]) < 0 or min(face[2:]) < _LEAST_PX:
        raise RangeError("face", f"must be Y,X,H,W, with Y and X of 0 or more and H and W of {_LEAST_PX} or more, not {','.join(map(str, face))}")


@dataclass(frozen=True)
class Faces:
    """Crops with a face each, and the network that redraws them. run: (3, side, side) sRGB, 0 to 1, to (3, factor side, factor side)."""

    crops: tuple[Face, ...]
    side: int
    run: Callable[[Floats], Floats]

    def drawn(self, large: Floats, image: Floats, scale: float) -> Floats:
        """Return `large` (H', W', 1 or 3), which is `image` (H, W, 1 or 3) upscaled by `scale`, with the faces in it; outside of the crops unchanged.

        The network gets the square around each crop, so that the face keeps its proportions. Raises SettingsError for a crop that is not within the image.
        """
        out = large.copy()
        for face in self.crops:
            top, left, height, width = face
            if top + height > image.shape[0] or left + width > image.shape[1]:
                raise SettingsError(f"--face {','.join(map(str, face))}: is not within the image, of {image.shape[1]} x {image.shape[0]} pixels")
            y, x = round(top * scale), round(left * scale)
            shape = min(round(height * scale), large.shape[0] - y), min(round(width * scale), large.shape[1] - x)
            made = self._drawn(image, face, scale)[: shape[0], : shape[1]]
            mask = _soft_mask(shape)[..., None]
            part = out[y : y + shape[0], x : x + shape[1]]
            part += mask * (made - part)
        return out

    def _drawn(self, image: Floats, face: Face, scale: float) -> Floats:
        """Return the network's face at the result's scale: the crop alone."""
        top, left, height, width = face
        square = max(height, width)
        y, x = top - (square - height) // 2, left - (square - width) // 2
        rows, columns = (np.clip(first + np.arange(square), 0, length - 1) for first, length in zip((y, x), image.shape[:2], strict=True))
        seen = _resized(np.ascontiguousarray(image[rows[:, None], columns]), self.side)
        three = np.repeat(seen, 3, axis=2) if seen.shape[2] == 1 else seen
        made = self.run(np.clip(np.ascontiguousarray(three.transpose(2, 0, 1)), 0, 1)).transpose(1, 2, 0)
        made = _resized(np.ascontiguousarray(made), max(1, round(square * scale)))
        made = made.mean(axis=2, keepdims=True) if image.shape[2] == 1 else made
        return made[round((top - y) * scale) :, round((left - x) * scale) :]


def _resized(square: Floats, side: int) -> Floats:
    ratio = side / square.shape[0]
    return resize(square, ratio, "bicubic" if ratio < 1 else "lanczos", (side, side))


def _soft_mask(shape: tuple[int, int]) -> Floats:
    """Return 1 inside, falling to 0 at the borders (H, W)."""
    width = max(_SOFT * min(shape), 1.0)
    rows, columns = (np.minimum(np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) / width, 1) for n in shape)
    y, x = ((1 - np.cos(np.pi * ramp)) / 2 for ramp in (rows, columns))
    return np.asarray(np.multiply.outer(y, x), np.float32)
