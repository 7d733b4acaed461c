"""Image prior: few DCT coefficients in luma and in colour differences of square roots, which give shadows more weight."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from burstsr.reconstruct import dct_shrinkage_loops, prior_loops
from burstsr.reconstruct.aligned import aligned
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]
TO_LUMA = np.array([[0.25, 0.5, 0.25], [1, -1, 0], [0, -1, 1]], np.float32)  # luma, R - G, B - G
TO_RGB = np.linalg.inv(TO_LUMA.astype(np.float64)).astype(np.float32)
_OFFSETS = ((0, 0), (2, 2), (0, 2), (2, 0), (1, 1), (3, 3), (1, 3), (3, 1))  # of the lattice of blocks, by iteration
_STEP, _DENSE_STEP = 4, 2  # pixels between blocks
_COLOUR_STEP = 4  # the same for colour differences, if luma's blocks are dense
_MONO_DENSE_STEP = 1  # of one plane, whose iterations take a third of the time: +0.05 dB
_SMOOTH = (5, 5)


class Prior:
    """Shrinkage of a tile's image, the proximal map of the prior.

    start: (p, h, w), a first estimate, for the derivative of the square root: of three planes, or of one, which has no colour differences.
    neutral: (p,) camera RGB of a neutral object. least_offset: of `sqrt_offset`.
    """

    def __init__(self, start: Floats, neutral: NDArray[np.float64], settings: ReconstructSettings, least_offset: float = 0.0) -> None:
        self._settings = settings
        self._neutral = neutral.astype(np.float32)
        self._scratch = dct_shrinkage_loops.scratch_for(start.shape[1:])
        self._offset = np.float32(max(settings.sqrt_offset, least_offset))
        smooth = np.stack([cv2.blur(cv2.blur(plane, _SMOOTH), _SMOOTH) for plane in start])
        balance = self._neutral[:, None, None]
        self._slope2 = 0.25 / ((np.maximum(smooth / balance, 0) + self._offset) * balance**2)  # (d root / d x)^2

    def prox(self, x: Floats, variance: Floats, turn: int, dense: bool, before: Floats | None = None) -> Floats:
        """Denoise x (p, h, w), linear camera RGB with noise of `variance` (p, h, w).

        Luma and the two colour differences of square roots of white-balanced values are filtered twice each, see `dct_shrinkage_loops`; luma only once if
        `before` (p, h, w), an image denoised earlier, serves as the pilot. turn: selects the offset of the lattice of blocks; dense: more blocks.
        """
        s = self._settings
        planes, noise = self._planes(x, variance)
        out, pilot = aligned(x.shape), np.empty_like(planes[0])
        count = len(x)
        finest = _DENSE_STEP if count > 1 else _MONO_DENSE_STEP
        steps = ((finest, _COLOUR_STEP, _COLOUR_STEP) if dense else (_STEP, _STEP, _STEP))[:count]
        guides = (None if before is None else self._planes(before, variance)[0][0], None, None)[:count]
        wiener = (s.wiener_noise_factor, 1.0, 1.0)[:count]
        for plane, v, guide, result, step, strength in zip(planes, noise, guides, out, steps, wiener, strict=True):
            down, along = (o % step for o in _OFFSETS[turn % len(_OFFSETS)])
            if guide is None:
                dct_shrinkage_loops.shrink(plane, v, plane, False, np.float32(s.dct_threshold), down, along, step, self._scratch, pilot)
            dct_shrinkage_loops.shrink(plane, v, pilot if guide is None else guide, True, np.float32(strength), down, along, step, self._scratch, result)
        if count == 1:
            return self._of_root(out)
        prior_loops.to_image(out.reshape(3, -1), self._neutral, self._offset, TO_RGB, planes.reshape(3, -1))
        return planes

    def _planes(self, x: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Return luma and colour differences (p, h, w) of an image, and their noise variance."""
        if len(x) == 1:
            return self._root(x), np.asarray(self._slope2 * variance, np.float32)
        flat, planes, noise = (3, -1), aligned(x.shape), aligned(x.shape)
        model = (TO_LUMA, self._slope2.reshape(flat), variance.reshape(flat), np.float32(self._settings.chroma_noise))
        prior_loops.to_planes(x.reshape(flat), self._neutral, self._offset, *model, planes.reshape(flat), noise.reshape(flat))
        return planes, noise

    def _root(self, x: Floats) -> Floats:
        """Return the square root of one plane (1, h, w), as `prior_loops.to_planes` computes it of three."""
        out = aligned(x.shape)
        np.divide(x, self._neutral[0], out=out)
        out += self._offset
        return np.sqrt(np.maximum(out, np.float32(1e-6), out=out), out=out)

    def _of_root(self, root: Floats) -> Floats:
        """Return the inverse of `_root`, in place."""
        np.square(np.maximum(root, 0, out=root), out=root)
        root -= self._offset
        root *= self._neutral[0]
        return root
