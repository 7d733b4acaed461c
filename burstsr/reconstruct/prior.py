"""What pictures are expected to look like: few cosine coefficients in luma and in colour differences, on square roots, where shadows count."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.reconstruct import prior_loops, shrink_loops
from burstsr.reconstruct.memory import aligned
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
        self._neutral = neutral.astype(np.float32)
        self._scratch = shrink_loops.scratch_for(start.shape[1:])
        self._offset = np.float32(settings.offset)
        smooth = np.stack([cv2.blur(cv2.blur(plane, _SMOOTH), _SMOOTH) for plane in start])
        balance = self._neutral[:, None, None]
        self._slope2 = 0.25 / ((np.maximum(smooth / balance, 0) + self._offset) * balance**2)  # (d root / d x)^2

    def shrunk(self, x: Floats, variance: Floats, turn: int, dense: bool) -> Floats:
        """x (3, h, w), linear camera RGB, where it carries noise of `variance` (3, h, w). turn: shifts the lattice of blocks; dense: twice as many.

        Luma and the two colour differences of square roots of white-balanced values are each filtered twice, see `shrink_loops`.
        """
        s, flat = self._settings, (3, -1)
        planes, noise, out = (aligned(x.shape) for _ in range(3))
        model = (TO_LUMA, self._slope2.reshape(flat), variance.reshape(flat), np.float32(s.chroma_noise))
        prior_loops.to_planes(x.reshape(flat), self._neutral, self._offset, *model, planes.reshape(flat), noise.reshape(flat))
        pilot = np.empty_like(planes[0])
        steps = (_DENSE_STEP, _COLOUR_STEP, _COLOUR_STEP) if dense else (_STEP, _STEP, _STEP)
        for plane, v, result, step in zip(planes, noise, out, steps, strict=True):
            down, along = (o % step for o in _OFFSETS[turn % len(_OFFSETS)])
            shrink_loops.shrink(plane, v, plane, False, np.float32(s.threshold), down, along, step, self._scratch, pilot)
            shrink_loops.shrink(plane, v, pilot, True, np.float32(1.0), down, along, step, self._scratch, result)
        prior_loops.to_picture(out.reshape(flat), self._neutral, self._offset, TO_RGB, planes.reshape(flat))
        return planes
