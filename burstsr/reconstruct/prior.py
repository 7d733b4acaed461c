"""Image prior: few DCT coefficients in luma and in colour differences of square roots, which give shadows more weight."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.core.mono import FULL_SHARE
from burstsr.reconstruct import dct_shrinkage_loops, prior_loops
from burstsr.reconstruct.aligned import aligned
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]
TO_LUMA = np.array([[0.25, 0.5, 0.25], [1, -1, 0], [0, -1, 1]], np.float32)  # luma, R - G, B - G
TO_LUMA_MONO = np.array([FULL_SHARE, [1, -1, 0], [0, -1, 1]], np.float32)  # the same of three equal channels, whose noise is one
TO_RGB, TO_RGB_MONO = (np.linalg.inv(to_luma.astype(np.float64)).astype(np.float32) for to_luma in (TO_LUMA, TO_LUMA_MONO))
_OFFSETS = ((0, 0), (2, 2), (0, 2), (2, 0), (1, 1), (3, 3), (1, 3), (3, 1))  # of the lattice of blocks, by iteration
_STEP, _DENSE_STEP = 4, 2  # pixels between blocks
_COLOUR_STEP = 4  # the same for colour differences, if luma's blocks are dense
_SMOOTH = (5, 5)


class Prior:
    """Shrinkage of a tile's image, the proximal map of the prior.

    start: (3, h, w), a first estimate, for the derivative of the square root. neutral: (3,) camera RGB of a neutral object.
    mono: the channels are equal, see `core.mono`.
    """

    def __init__(self, start: Floats, neutral: NDArray[np.float64], settings: ReconstructSettings, mono: bool = False) -> None:
        self._settings = settings
        self._to_luma, self._to_rgb = (TO_LUMA_MONO, TO_RGB_MONO) if mono else (TO_LUMA, TO_RGB)
        self._neutral = neutral.astype(np.float32)
        self._scratch = dct_shrinkage_loops.scratch_for(start.shape[1:])
        self._offset = np.float32(settings.sqrt_offset)
        smooth = np.stack([cv2.blur(cv2.blur(plane, _SMOOTH), _SMOOTH) for plane in start])
        balance = self._neutral[:, None, None]
        self._slope2 = 0.25 / ((np.maximum(smooth / balance, 0) + self._offset) * balance**2)  # (d root / d x)^2

    def prox(self, x: Floats, variance: Floats, turn: int, dense: bool, before: Floats | None = None) -> Floats:
        """Denoise x (3, h, w), linear camera RGB with noise of `variance` (3, h, w).

        Luma and the two colour differences of square roots of white-balanced values are filtered twice each, see `dct_shrinkage_loops`; luma only once if
        `before` (3, h, w), an image denoised earlier, serves as the pilot. turn: selects the offset of the lattice of blocks; dense: twice as many blocks.
        """
        s = self._settings
        planes, noise = self._planes(x, variance)
        out, pilot = aligned(x.shape), np.empty_like(planes[0])
        steps = (_DENSE_STEP, _COLOUR_STEP, _COLOUR_STEP) if dense else (_STEP, _STEP, _STEP)
        guides = (None if before is None else self._planes(before, variance)[0][0], None, None)
        wiener = (s.wiener_noise_factor, 1.0, 1.0)
        for plane, v, guide, result, step, strength in zip(planes, noise, guides, out, steps, wiener, strict=True):
            down, along = (o % step for o in _OFFSETS[turn % len(_OFFSETS)])
            if guide is None:
                dct_shrinkage_loops.shrink(plane, v, plane, False, np.float32(s.dct_threshold), down, along, step, self._scratch, pilot)
            dct_shrinkage_loops.shrink(plane, v, pilot if guide is None else guide, True, np.float32(strength), down, along, step, self._scratch, result)
        prior_loops.to_image(out.reshape(3, -1), self._neutral, self._offset, self._to_rgb, planes.reshape(3, -1))
        return planes

    def _planes(self, x: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Return luma and colour differences (3, h, w) of an image, and their noise variance."""
        flat, planes, noise = (3, -1), aligned(x.shape), aligned(x.shape)
        model = (self._to_luma, self._slope2.reshape(flat), variance.reshape(flat), np.float32(self._settings.chroma_noise))
        prior_loops.to_planes(x.reshape(flat), self._neutral, self._offset, *model, planes.reshape(flat), noise.reshape(flat))
        return planes, noise
