"""A frame with its place in the burst: what merge and reconstruction read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burstsr.core.blur import AnyBlur
from burstsr.core.burst import Frame
from burstsr.core.flow import Flow
from burstsr.core.quantise import scaled, unpacked

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RegisteredFrame:
    """A frame with its flow and its robustness, (H/2, W/2) per CFA cell of the reference, 0 to 1 or packed.

    weight: additional weight of its samples in the merge, 0 to 1: less than 1 for a blurred frame. blur: for the reconstruction's
    forward model; None: as sharp as the reference, or as the sharpest frames.
    precision: (H/2, W/2) what its samples count in the merge of a bracket, per CFA cell of the reference; None: as all others.
    filled: the frame of a bracket with its clipped samples estimated, for the merge; None: the frame.
    """

    frame: Frame
    flow: Flow
    robustness: Floats | NDArray[np.uint8]
    weight: float = 1.0
    blur: AnyBlur | None = None
    precision: Floats | None = None
    filled: Frame | None = None

    def merge_weights(self) -> Floats | NDArray[np.uint8]:
        """Return the weight of its samples in the merge, per CFA cell of the reference: robustness times all others."""
        if self.precision is None:
            return scaled(self.robustness, self.weight)
        return np.asarray(unpacked(self.robustness) * self.precision * np.float32(self.weight), np.float32)
