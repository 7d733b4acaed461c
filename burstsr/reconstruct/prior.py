"""What pictures are expected to look like: few cosine coefficients in luma and in colour differences, on square roots, where shadows count."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.reconstruct import shrink_loops
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]
TO_LUMA = np.array([[0.25, 0.5, 0.25], [1, -1, 0], [0, -1, 1]], np.float32)  # luma, R - G, B - G
TO_RGB = np.linalg.inv(TO_LUMA.astype(np.float64)).astype(np.float32)
_OFFSETS = ((0, 0), (2, 2), (0, 2), (2, 0), (1, 1), (3, 3), (1, 3), (3, 1))  # of the blocks' lattice, one step after another
_STEP, _DENSE_STEP = 4, 2  # pixels between blocks
_COLOUR_STEP = 4  # the same, of colour differences, where luma's are dense
_SMOOTH = (5, 5)


class Prior:
    """Shrinks a tile's picture towards what is expected.

    start: (3, h, w), a first estimate, for the slope of the square root. neutral: (3,) camera RGB of a neutral object.
    """

    def __init__(self, start: Floats, neutral: NDArray[np.float64], settings: ReconstructSettings) -> None:
        self._settings = settings
        self._neutral = neutral.astype(np.float32)[:, None, None]
        self._offset = np.float32(settings.offset)
        smooth = np.stack([cv2.blur(cv2.blur(plane, _SMOOTH), _SMOOTH) for plane in start])
        self._slope2 = 0.25 / ((np.maximum(smooth / self._neutral, 0) + self._offset) * self._neutral**2)  # (d root / d x)^2

    def shrunk(self, x: Floats, variance: Floats, turn: int, dense: bool) -> Floats:
        """x (3, h, w), linear camera RGB, where it carries noise of `variance` (3, h, w). turn: shifts the lattice of blocks; dense: twice as many.

        Luma and the two colour differences of square roots of white-balanced values are each filtered twice, see `shrink_loops`.
        """
        s = self._settings
        roots = np.sqrt(np.maximum(x / self._neutral + self._offset, np.float32(1e-6)))
        planes = np.tensordot(TO_LUMA, roots, 1)
        r, g, b = self._slope2 * variance
        noise = (np.float32(0.0625) * (r + 4 * g + b), np.float32(s.chroma_noise) * (r + g), np.float32(s.chroma_noise) * (b + g))
        pilot, weight, out = np.empty_like(planes[0]), np.empty_like(planes[0]), np.empty_like(planes)
        steps = (_DENSE_STEP, _COLOUR_STEP, _COLOUR_STEP) if dense else (_STEP, _STEP, _STEP)
        for plane, v, result, step in zip(planes, noise, out, steps, strict=True):
            down, along = (o % step for o in _OFFSETS[turn % len(_OFFSETS)])
            shrink_loops.shrink(plane, v, plane, False, np.float32(s.threshold), down, along, step, pilot, weight)
            shrink_loops.shrink(plane, v, pilot, True, np.float32(1.0), down, along, step, result, weight)
        roots = np.maximum(np.tensordot(TO_RGB, out, 1), 0)
        return np.ascontiguousarray((roots * roots - self._offset) * self._neutral)
