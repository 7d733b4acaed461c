"""Input of a reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.lateral import LateralAberration
from burstsr.core.lens_field import LensField
from burstsr.core.mono import plane_count
from burstsr.core.noise import Noise
from burstsr.reconstruct.registered_frame import RegisteredFrame
from burstsr.settings import ReconstructSettings

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """Input of a reconstruction.

    image: (H', W', 3) of the merge. views: registered frames; views[reference] defines the geometry of the image. neutral: (3,) camera RGB of a neutral object.
    defects: (n, 2) raw (y, x) of samples to leave out. iterations: exact number of them, at most `settings.outer_iterations`; None: until the samples
    are explained well enough. alone(first, last): those rows of the single-frame image of the reference, used where no other frame agrees with it; None:
    contradictions are not checked. lateral: chromatic aberration of the samples, to correct. lens: blur of the lens over the field; None: that of the
    settings, as if the frames were whole.
    """

    image: Floats
    views: Sequence[RegisteredFrame]
    reference: int
    noise: Noise
    neutral: NDArray[np.float64]
    scale: float
    settings: ReconstructSettings
    defects: NDArray[np.int64]
    iterations: int | None = None
    alone: Callable[[int, int], Floats] | None = None
    lateral: LateralAberration | None = None
    lens: LensField | None = None

    def lens_px(self, y: float, x: float) -> float:
        """Return the standard deviation of the lens's blur at an output position, raw pixels."""
        lens = self.lens or self.settings.lens(self.views[self.reference].frame.info.shape)
        return lens.at(y / self.scale - 0.5, x / self.scale - 0.5)

    @property
    def planes(self) -> Floats:
        """Return what of the image is solved for: all of its channels, of monochrome frames the first one, which the others equal."""
        return self.image[..., : plane_count(self.views[0].frame)]

    def alone_rows(self, first: int, last: int) -> Floats:
        """Return rows of the single-frame image, in the same planes."""
        assert self.alone is not None
        return self.alone(first, last)[..., : plane_count(self.views[0].frame)]
