"""Blur of the lens, measured in the image that is reconstructed without knowing it.

Power spectra of scenes fall as a power of the frequency, to which a lens adds a bend (`spectrum.py`). Parts of the image give it one by one: what is out of
focus is softer than the lens makes it, so that one of the sharper parts tells the lens's blur. Too wide a blur rings, and does more harm than too narrow a
one helps: what is used is the blur less its standard error, and less that of scenes and of the reconstruction themselves. A scene that is soft everywhere
cannot be told from a soft lens: so no more is used than most lenses have, and nothing where the blur is wider than a lens's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.noise import Noise
from burstsr.reconstruct.spectrum import blur_of_image

Floats = NDArray[np.float32]
_RANK = 1  # of the part that is used, from the sharpest, 0
_OWN_PX = 0.15  # sigma that the spectra of sharp scenes show: median of Kodak images, ISO 100 to 1600
_LARGEST_PX = 0.3  # sigma used: of a scene that is itself soft, more would be harm
_SOFT_PX = (0.5, 0.65)  # measured sigma: from a lens's to a soft scene's
_LEAST_PX = 0.1  # less makes no difference
_UNCERTAIN_PX = 0.12  # standard error from which nothing is known


@dataclass(frozen=True)
class LensBlur:
    """Blur of the lens, standard deviation of a Gaussian, raw pixels. used_px: what is certain of it, and is corrected."""

    sigma_px: float
    error_px: float

    @property
    def used_px(self) -> float:
        """Return the part that is certain."""
        certain = max(self.sigma_px - self.error_px, 0.0) if self.error_px < _UNCERTAIN_PX else 0.0
        used = min(float(np.sqrt(max(certain**2 - _OWN_PX**2, 0.0))), _LARGEST_PX)
        used *= float(np.interp(self.sigma_px, _SOFT_PX, (1.0, 0.0)))
        return used if used >= _LEAST_PX else 0.0


def lens_blur(parts: Sequence[Floats], noise: Noise, scale: float, samples: float) -> LensBlur | None:
    """Measure the blur in parts of an image, (p, h, w) each, reconstructed without correcting the lens; None for fewer than two parts.

    noise: of a sample. samples: of green, or of the one plane, per pixel of the image.
    """
    if len(parts) <= _RANK:
        return None
    alpha, beta = (float(v[len(v) // 2]) for v in (noise.alpha, noise.beta))
    found = [blur_of_image(part[len(part) // 2], (alpha, beta), samples, scale) for part in parts]
    return LensBlur(*sorted(found, key=lambda f: f[0])[_RANK])
